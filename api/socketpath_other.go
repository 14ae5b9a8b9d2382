//go:build !linux

package api

import "fmt"

// shortSocketPath returns the path of a unix socket, if it is not too long for the system.
func shortSocketPath(path string) (short string, release func(), err error) {
	if len(path) > maxSocketPath {
		return "", nil, fmt.Errorf("the path of the operator's socket is %d bytes long and this system allows %d; use a directory with a shorter path", len(path), maxSocketPath)
	}
	return path, func() {}, nil
}
