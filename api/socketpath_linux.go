package api

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// shortSocketPath returns a path that the system takes for the unix socket at path, which may be too long
// for it: one through an open directory. It can be used until it is released.
func shortSocketPath(path string) (short string, release func(), err error) {
	if len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	base := filepath.Base(path)
	if len(base) > maxSocketPath/2 {
		return "", nil, fmt.Errorf("the name of the operator's socket is %d bytes long and the system allows about %d", len(base), maxSocketPath/2)
	}
	const oPath = 0x200000 // O_PATH: only to be named, which needs no permission to read it
	fd, err := syscall.Open(filepath.Dir(path), oPath|syscall.O_DIRECTORY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return "", nil, &os.PathError{Op: "open", Path: filepath.Dir(path), Err: err}
	}
	short = fmt.Sprintf("/proc/self/fd/%d/%s", fd, base)
	return short, func() { _ = syscall.Close(fd) }, nil
}
