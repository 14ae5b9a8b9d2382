package processes

import "syscall"

// attributes keeps processes out of the terminal's signals, so that whoever
// started them decides when they end, and makes the kernel end them if it
// is itself killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
