package memorydir

import "syscall"

// available returns how many bytes can be written below a directory; 0 if there is none.
func available(dir string) uint64 {
	var stat syscall.Statfs_t
	if syscall.Statfs(dir, &stat) != nil {
		return 0
	}
	return stat.Bavail * uint64(stat.Bsize)
}
