package memorydir

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestRoot(t *testing.T) {
	dir := t.TempDir()
	if got := root(filepath.Join(dir, "none"), 1); got != os.TempDir() {
		t.Errorf("without the directory: %s", got)
	}
	if got := root(dir, 1<<62); got != os.TempDir() {
		t.Errorf("without space: %s", got)
	}
	want := dir
	if runtime.GOOS != "linux" {
		want = os.TempDir()
	}
	if got := root(dir, 1); got != want {
		t.Errorf("with space: %s", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
