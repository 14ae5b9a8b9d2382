package store

import (
	"bytes"
	"os"
	"strconv"
	"syscall"

	bolt "go.etcd.io/bbolt"
)

// releasePages gives the pages of the mapped file back to the kernel. They are the
// page cache's, and stay there; but as long as they are mapped they count as
// this process's memory, and after a while that is the whole file. The mapping is
// read-only, so nothing is lost, and a page that is touched again is mapped again.
//
// tx is an open transaction: while there is one the mapping cannot move, and it is at least
// as long as the data that the transaction sees.
func releasePages(tx *bolt.Tx) { releaseRange(tx, 0, tx.Size()) }

// releaseRange releases the pages between two offsets in bytes, which are multiples of a page.
func releaseRange(tx *bolt.Tx, start, end int64) {
	// An error leaves the pages mapped, which harms nothing.
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, tx.DB().Info().Data+uintptr(start), uintptr(end-start), syscall.MADV_DONTNEED)
}

// mappedMemory is how much of this process's memory the pages of mapped files take, in bytes; 0 if that is not known.
func mappedMemory() int64 {
	// size resident shared text lib data dt, in pages
	fields, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	for range 2 {
		_, fields, _ = bytes.Cut(fields, []byte(" "))
	}
	shared, _, _ := bytes.Cut(fields, []byte(" "))
	pages, err := strconv.ParseInt(string(shared), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
