package store

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestMappedMemory maps a file and touches it: its pages count.
func TestMappedMemory(t *testing.T) {
	const size = 64 << 20
	path := filepath.Join(t.TempDir(), "mapped")
	if err := os.WriteFile(path, make([]byte, size), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	content, err := syscall.Mmap(int(file.Fd()), 0, size, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(content)
	before, sum := mappedMemory(), byte(0)
	for i := 0; i < size; i += os.Getpagesize() {
		sum += content[i]
	}
	if after := mappedMemory(); before <= 0 || after-before < size/2 || sum != 0 {
		t.Errorf("%d bytes are mapped before, %d after %d were touched", before, after, size)
	}
}
