//go:build unix

package operator

import (
	"os/signal"
	"syscall"
)

// ignoreFileSizeSignal makes a file that has reached the process's limit (ulimit -f) an error like a full disk,
// in place of a signal that ends the process.
func ignoreFileSizeSignal() { signal.Ignore(syscall.SIGXFSZ) }
