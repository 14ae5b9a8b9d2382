package processes

import (
	"fmt"
	"os"
	"syscall"
)

// reserve binds a socket to a port of the loopback interface and never listens on
// it. It is bound without SO_REUSEADDR, so that nothing else may have the port; then it gets this
// option, so that a server, whose socket has it too, can bind the port beside it and listen. The
// socket stays until the process ends, and no process that is started inherits it.
func reserve(port int) (release func(), err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		_ = syscall.Close(fd)
		return nil, fmt.Errorf("port %d: %w", port, os.NewSyscallError("bind", err))
	}
	if err := syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1); err != nil {
		_ = syscall.Close(fd)
		return nil, os.NewSyscallError("setsockopt", err)
	}
	return func() {}, nil
}
