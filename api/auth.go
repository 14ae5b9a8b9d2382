package api

import (
	"net/http"
	"strings"
)

// maxTokenBytes bounds the length of a bearer token that is looked at.
const maxTokenBytes = 4096

// bearerToken returns the bearer token of a request (RFC 6750 Section 2.1): one
// Authorization header, the scheme in any case, one space, and the token in
// its alphabet. Anything else is no token: "".
func bearerToken(header http.Header) string {
	values := header.Values("Authorization")
	if len(values) != 1 {
		return ""
	}
	scheme, token, found := strings.Cut(values[0], " ")
	if !found || !strings.EqualFold(scheme, "Bearer") || len(token) > maxTokenBytes || !isB64Token(token) {
		return ""
	}
	return token
}

// isB64Token tells whether s is a b64token: letters, digits, -._~+/ and then
// any number of =.
func isB64Token(s string) bool {
	s = strings.TrimRight(s, "=")
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~+/", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
