// Package secret holds byte strings that must not be printed: keys, tokens,
// seeds. They redact themselves in every format that fmt, slog and
// encoding/json know.
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[secret]"

// Bytes is a secret byte string. Convert it to []byte to use it.
type Bytes []byte

// Equal compares two secrets in constant time for a given length. Lengths are
// public.
func (b Bytes) Equal(other Bytes) bool {
	return subtle.ConstantTimeCompare(b, other) == 1
}

// String implements fmt.Stringer without the value.
func (Bytes) String() string { return redacted }

// GoString implements fmt.GoStringer without the value.
func (Bytes) GoString() string { return redacted }

// Format implements fmt.Formatter, so that no verb prints the value.
func (Bytes) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// LogValue implements slog.LogValuer without the value.
func (Bytes) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText implements encoding.TextMarshaler without the value, which keeps
// secrets out of JSON and TOML that nobody meant to write.
func (Bytes) MarshalText() ([]byte, error) { return []byte(redacted), nil }
