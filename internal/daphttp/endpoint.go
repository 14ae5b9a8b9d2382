package daphttp

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Endpoint is the base URL of an aggregator, from which the URLs of its
// resources are made (DAP Section 3). It is immutable.
type Endpoint struct {
	text string // as given, but for one trailing slash
	url  *url.URL
}

// EndpointError says why a URL cannot be an aggregator's endpoint.
type EndpointError struct {
	Endpoint string
	Problem  string
}

func (e *EndpointError) Error() string {
	return fmt.Sprintf("aggregator endpoint %q: %s", e.Endpoint, e.Problem)
}

// ParseEndpoint checks that text is an absolute https URL without user, query
// or fragment, and not longer than 2,048 bytes. An http URL is refused
// (DAP Section 3: HTTPS is REQUIRED) unless its host is this machine
// ("localhost" or a loopback address) or allowPlain is set. The error is an
// *EndpointError.
func ParseEndpoint(text string, allowPlain bool) (*Endpoint, error) {
	refuse := func(problem string) (*Endpoint, error) {
		shown := text
		if len(shown) > 128 {
			shown = shown[:128] + "..."
		}
		return nil, &EndpointError{shown, problem}
	}
	if len(text) > maxURLBytes {
		return refuse(fmt.Sprintf("%d bytes long; at most %d are allowed", len(text), maxURLBytes))
	}
	if !isVisibleASCII(text) {
		return refuse("has a space, a control character or one outside of ASCII; percent-encode it")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return refuse("not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return refuse("not an absolute URL; it must start with https://")
	case u.Hostname() == "":
		return refuse("has no host")
	case u.User != nil:
		// The URL is not shown: it may hold a password.
		return nil, &EndpointError{"(not shown)", "has a user name or password; leave them out, the URL is public"}
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(text, "#"):
		return refuse("has a query or a fragment; it must be the base that resource paths are appended to")
	case hasDotSegment(u):
		return refuse("has a path with . or .. in it; write the path that they lead to")
	case strings.Contains(u.EscapedPath(), "//"):
		// As a Location, a path that starts with // would name a host.
		return refuse("has // in its path; write one slash")
	case u.Scheme == "http" && !allowPlain && !isLoopback(u.Hostname()):
		return refuse("plain http is for this machine only; use an https URL")
	}
	return &Endpoint{strings.TrimSuffix(text, "/"), u}, nil
}

const maxURLBytes = 2048

// isVisibleASCII tells whether s is free of what a URL must escape and what
// net/url lets stand in some of its parts all the same.
func isVisibleASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f })
}

// isLoopback tells whether a URL's host is this machine.
func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// hasDotSegment tells whether a segment of the path is . or .., percent-encoded or not.
func hasDotSegment(u *url.URL) bool {
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// Path returns the endpoint's path as it stands in the URL, without a trailing
// slash: "" for "https://example.com/", "/api/dap" for
// "https://example.com/api/dap".
func (e *Endpoint) Path() string { return strings.TrimSuffix(e.url.EscapedPath(), "/") }

// String returns the endpoint as it was given, but for one trailing slash.
func (e *Endpoint) String() string { return e.text }

// URL appends a path to the endpoint, which stays as it is: no part of it is
// decoded, encoded or cleaned. The segments are not escaped: they are
// constants and identifiers.
func (e *Endpoint) URL(segments ...string) string {
	return e.text + "/" + strings.Join(segments, "/")
}
