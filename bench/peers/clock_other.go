//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package main

import "time"

var started = time.Now()

// cpuTime is the time since the process began: this system does not tell a
// process's CPU time in the way that clock_rusage.go asks for it.
func cpuTime() time.Duration { return time.Since(started) }
