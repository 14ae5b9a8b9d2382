// Package memorydir says where tests that write a great deal keep their files: in memory, where there is
// enough of it.
package memorydir

import (
	"os"
	"sync"
)

const (
	// shared is the file system in memory that Linux systems have.
	shared = "/dev/shm"
	// enough is more than all tests that run at the same time write, in bytes. Containers often have
	// 64 MB there, and what killed tests have left behind stays.
	enough = 1 << 30
)

// Root returns the directory to make temporary directories in: /dev/shm if it can be written and has
// a gigabyte of space, else the system's directory for temporary files.
var Root = sync.OnceValue(func() string { return root(shared, enough) })

func root(memory string, space uint64) string {
	if available(memory) < space {
		return os.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "twofold")
	if err != nil {
		return os.TempDir()
	}
	_ = os.Remove(dir) // it is empty
	return memory
}
