package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/internal/processes"
)

// mostGoroutines is how many goroutines an idle server may have.
const mostGoroutines = 150

// usage is what the servers take of the machine.
type usage struct {
	mu         sync.Mutex
	peak       [2]int64 // of the processes that were alive when somebody looked, in bytes
	disk       [2]int64
	goroutines [2]int // at the end
}

func serversOf(system *processes.System) []*processes.Server {
	return []*processes.Server{system.Leader, system.Helper}
}

// sample looks at what the servers take now, where the system can tell.
func (u *usage) sample(system *processes.System) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, server := range serversOf(system) {
		if now, err := processes.ReadUsage(server.PID()); err == nil {
			u.peak[i] = max(u.peak[i], now.PeakResident)
		}
		if bytes, err := server.DiskBytes(); err == nil {
			u.disk[i] = bytes
		}
	}
}

// final looks for goroutines that were left behind by what is over.
func (u *usage) final(ctx context.Context, system *processes.System) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for i, server := range serversOf(system) {
		operator := api.NewOperatorClient(filepath.Join(server.Dir, "operator.sock"))
		metrics, err := operator.Metrics(ctx)
		operator.Close()
		if err != nil {
			return err
		}
		if u.goroutines[i], err = gauge(metrics, "go_goroutines"); err != nil {
			return err
		}
		if u.goroutines[i] > mostGoroutines {
			return fmt.Errorf("the %s is idle and has %d goroutines", server.Role, u.goroutines[i])
		}
	}
	return nil
}

// gauge reads a metric without labels.
func gauge(metrics []byte, name string) (int, error) {
	for scanner := bufio.NewScanner(bytes.NewReader(metrics)); scanner.Scan(); {
		if value, ok := strings.CutPrefix(scanner.Text(), name+" "); ok {
			return strconv.Atoi(value)
		}
	}
	return 0, fmt.Errorf("there is no metric %s", name)
}

func (u *usage) write(w io.Writer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	fmt.Fprintf(w, "  %-13s Leader %.1f MiB, Helper %.1f MiB of memory at most; databases of %.1f and %.1f MiB; at the end %d and %d goroutines\n", "resources",
		mebibytes(u.peak[0]), mebibytes(u.peak[1]), mebibytes(u.disk[0]), mebibytes(u.disk[1]), u.goroutines[0], u.goroutines[1])
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
