//go:build !unix

package processes

import "syscall"

func attributes() *syscall.SysProcAttr { return nil }
