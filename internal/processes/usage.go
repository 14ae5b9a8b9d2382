package processes

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what a process has taken of the machine.
type Usage struct {
	CPU time.Duration // of all its threads
	// Resident and Anonymous are the memory it holds now, in bytes: all of it, and
	// what is not backed by files.
	Resident, Anonymous int64
	// PeakResident is the most it has held.
	PeakResident int64
}

// clockTick is the unit of the times in /proc (USER_HZ), which is the same on every
// processor that Go runs on.
const clockTick = time.Second / 100

// ReadUsage reads the usage of a process of this machine from /proc, which only
// Linux has.
func ReadUsage(pid int) (Usage, error) {
	var u Usage
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	if u.CPU, err = cpuTime(stat); err != nil {
		return u, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	for field, value := range map[string]*int64{"VmRSS": &u.Resident, "RssAnon": &u.Anonymous, "VmHWM": &u.PeakResident} {
		if *value, err = kilobytes(status, field); err != nil {
			return u, err
		}
	}
	return u, nil
}

// cpuTime reads utime and stime of /proc/PID/stat, the fields 14 and 15. The
// second field is the command's name in parentheses, and may hold anything.
func cpuTime(stat []byte) (time.Duration, error) {
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const utime, stime = 14 - 3, 15 - 3 // the first of these fields is the third
	if len(fields) <= stime {
		return 0, fmt.Errorf("/proc/PID/stat has only %d fields after the name", len(fields))
	}
	total := time.Duration(0)
	for _, i := range []int{utime, stime} {
		ticks, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		total += time.Duration(ticks) * clockTick
	}
	return total, nil
}

// kilobytes reads a line like "VmHWM:     1234 kB" of /proc/PID/status, in bytes.
func kilobytes(status []byte, field string) (int64, error) {
	for scanner := bufio.NewScanner(bytes.NewReader(status)); scanner.Scan(); {
		name, value, _ := strings.Cut(scanner.Text(), ":")
		if name != field {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc/PID/status: %s: %w", field, err)
		}
		return n << 10, nil
	}
	return 0, fmt.Errorf("/proc/PID/status has no line %s", field)
}
