//go:build unix

package processes

import (
	"io/fs"
	"syscall"
)

// allocated is the number of bytes that the file system has allocated for a
// file, which stat counts in blocks of 512.
func allocated(info fs.FileInfo) int64 {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return stat.Blocks * 512
	}
	return info.Size()
}
