package processes

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// The ports that are given to servers lie below those that systems choose
// from for outgoing connections (from 32768 on Linux, from 49152 elsewhere). Else,
// while a server is down, a connection could take its port away.
const (
	firstPort = 10_000
	lastPort  = 32_000
	portTries = 1000
)

// FreeAddresses returns n different addresses of the loopback interface, HOST:PORT,
// that nothing listens on at the moment. Where the system allows it (Linux) they are reserved
// until this process ends: no other caller is given them, in this process or another,
// also while their servers are down.
func FreeAddresses(n int) ([]string, error) {
	addresses := make([]string, 0, n)
	for range portTries {
		if len(addresses) == n {
			return addresses, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		release, err := reserve(port)
		if errors.Is(err, syscall.EADDRINUSE) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer release() // only now, so that the next one is another
		addresses = append(addresses, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
	return nil, fmt.Errorf("finding a free port: none of %d was free", portTries)
}
