//go:build !linux

package processes

import (
	"net"
	"strconv"
)

// reserve keeps a port of the loopback interface until it is released. Another process could take it
// between then and the start of its server.
func reserve(port int) (release func(), err error) {
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return nil, err
	}
	return func() { _ = listener.Close() }, nil
}
