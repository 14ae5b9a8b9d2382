// Package base64url is URL-safe Base64 without padding (RFC 4648 Section 5) in its
// canonical form: each byte string has one text, and each text that decodes encodes
// to itself. The standard library's decoder alone would skip line breaks.
package base64url

import (
	"encoding/base64"
	"errors"
	"strings"
)

// ErrMalformed: the text is not the encoding of any bytes. It says nothing of the
// text, which may be secret.
var ErrMalformed = errors.New("not URL-safe, unpadded Base64 in its canonical form")

// strict refuses trailing bits that are not zero.
var strict = base64.RawURLEncoding.Strict()

// Encode returns the text of data.
func Encode(data []byte) string { return strict.EncodeToString(data) }

// Decode is the inverse of Encode. Its error is ErrMalformed.
func Decode(text string) ([]byte, error) {
	if strings.ContainsAny(text, "\r\n") {
		return nil, ErrMalformed
	}
	data, err := strict.DecodeString(text)
	if err != nil {
		return nil, ErrMalformed
	}
	return data, nil
}
