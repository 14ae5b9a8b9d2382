package store

import (
	"os"
	"syscall"
)

// allocate gives a part of the file its space on the disk. The file becomes longer if need be; what
// it holds stays.
func allocate(file *os.File, offset, length int64) error {
	for {
		if err := syscall.Fallocate(int(file.Fd()), 0, offset, length); err != syscall.EINTR {
			return err
		}
	}
}

// forgetPages drops what the kernel remembers of a file, so that reading it tells what the disk holds.
// After a failed fsync the two may differ.
func forgetPages(file *os.File) {
	const dontNeed = 4 // POSIX_FADV_DONTNEED
	_, _, _ = syscall.Syscall6(syscall.SYS_FADVISE64, file.Fd(), 0, 0, dontNeed, 0, 0)
}
