//go:build unix && !linux

package processes

import "syscall"

// attributes keeps processes out of the terminal's signals, so that whoever
// started them decides when they end.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
