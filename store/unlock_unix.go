//go:build unix

package store

import (
	"os"
	"syscall"
)

// canLock: lock keeps other processes off.
const canLock = true

// unlock gives up the lock of a file that is still mapped: closing it does not.
func unlock(file *os.File) { _ = syscall.Flock(int(file.Fd()), syscall.LOCK_UN) }

// lock takes the lock that bbolt takes, if no other process has it. Taken again for the same file it changes nothing.
func lock(file *os.File) error { return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
