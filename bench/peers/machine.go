package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"
)

// machine is what the figures were measured on.
type machine struct {
	Date       string `json:"date"`
	OS         string `json:"os"`
	Arch       string `json:"arch"`
	Processor  string `json:"processor"`
	Vectors    string `json:"vectors,omitempty"` // the vector instructions that matter here
	Processors int    `json:"nproc"`
	Go         string `json:"go"`
	Rust       string `json:"rust,omitempty"`
}

func describeMachine(ctx context.Context, o options) machine {
	m := machine{
		Date: time.Now().UTC().Format(time.DateOnly), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Processor: runtime.GOARCH, Processors: runtime.NumCPU(), Go: runtime.Version(),
	}
	if o.cargo != "" {
		m.Rust = rustCompiler(ctx, o.cargo)
	}
	if f, err := os.Open("/proc/cpuinfo"); err == nil { // Linux only
		defer f.Close()
		m.readCPUInfo(bufio.NewScanner(f))
	}
	return m
}

// readCPUInfo takes the first processor's model and its vector instructions.
func (m *machine) readCPUInfo(lines *bufio.Scanner) {
	lines.Buffer(nil, 1<<16)
	for lines.Scan() && lines.Text() != "" {
		key, value, _ := strings.Cut(lines.Text(), ":")
		switch strings.TrimSpace(key) {
		case "model name":
			m.Processor = strings.TrimSpace(value)
		case "flags":
			var found []string
			for _, flag := range strings.Fields(value) {
				switch flag {
				case "avx2":
					found = append(found, "AVX2")
				case "avx512f":
					found = append(found, "AVX-512")
				case "avx512ifma":
					found = append(found, "AVX-512 IFMA")
				}
			}
			m.Vectors = strings.Join(found, ", ")
		}
	}
}

func (m machine) oneLine() string {
	text := fmt.Sprintf("%s, %d processors", m.Processor, m.Processors)
	if m.Vectors != "" {
		text += ", " + m.Vectors
	}
	text += fmt.Sprintf(", %s/%s, %s", m.OS, m.Arch, m.Go)
	if m.Rust != "" {
		text += ", " + m.Rust
	}
	return text + ", " + m.Date
}
