package daphttp

import (
	"fmt"
	"net/url"
	"strings"
)

// LocationError says why a Location header is not followed.
type LocationError struct{ Problem string }

func (e *LocationError) Error() string { return "Location header: " + e.Problem }

// Resolve resolves the value of a Location header (DAP Section 3.2) against the
// URL of the request that it answers. The result is an absolute URL. A
// resource that is not at the endpoint (another scheme, host or port, or a path that is not
// below the endpoint's) is refused: a request there would carry a bearer token
// to someone else. The error is a *LocationError.
func (e *Endpoint) Resolve(request *url.URL, location string) (*url.URL, error) {
	if location == "" {
		return nil, &LocationError{"missing"}
	}
	if len(location) > maxURLBytes {
		return nil, &LocationError{fmt.Sprintf("%d bytes long; at most %d are allowed", len(location), maxURLBytes)}
	}
	if !isVisibleASCII(location) {
		return nil, &LocationError{"has a space, a control character or one outside of ASCII"}
	}
	reference, err := url.Parse(location)
	if err != nil {
		return nil, &LocationError{"not a URL"}
	}
	resolved := request.ResolveReference(reference)
	resolved.Fragment, resolved.RawFragment = "", ""
	switch {
	case resolved.User != nil:
		return nil, &LocationError{"has a user name or password"}
	case resolved.Opaque != "" || origin(resolved) != origin(e.url):
		return nil, &LocationError{"leads to another scheme, host or port than the aggregator's endpoint"}
	case hasDotSegment(resolved) || !strings.HasPrefix(resolved.EscapedPath(), e.Path()+"/"):
		return nil, &LocationError{"leads out of the aggregator's endpoint"}
	}
	return resolved, nil
}

// origin returns scheme, host and port in one form for all ways to write them.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" && u.Scheme == "https" {
		port = "443"
	} else if port == "" && u.Scheme == "http" {
		port = "80"
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
