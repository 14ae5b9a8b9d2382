package processes

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestModuleRoot(t *testing.T) {
	check := func(where string) {
		t.Helper()
		root, err := ModuleRoot(t.Context())
		if err != nil {
			t.Fatalf("%s: %v", where, err)
		}
		if _, err := os.Stat(filepath.Join(root, "internal", "processes", "build.go")); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
	check("inside")
	t.Chdir(t.TempDir())
	check("elsewhere")
}

func TestOutput(t *testing.T) {
	for text, want := range map[string]string{"": "", "a": "a", "a\nb\n": "b", "a\n\nb c\r\n\n": "b c"} {
		if got := (Output{Stdout: []byte(text)}).LastLine(); got != want {
			t.Errorf("%q: got %q", text, got)
		}
	}
	var collection Collection
	text := `{"report_count":3,"interval":{"start":"2026-01-31T08:00:00Z","end":"2026-01-31T09:00:00Z"},"result":[1,2]}`
	if err := (Output{Stdout: []byte("waiting\n" + text + "\n")}).Object(&collection); err != nil {
		t.Fatal(err)
	}
	if collection.ReportCount != 3 || collection.Interval.End.Sub(collection.Interval.Start) != time.Hour || !reflect.DeepEqual(collection.Result, Numbers{1, 2}) {
		t.Errorf("got %+v", collection)
	}
	if err := (Output{Stdout: []byte("no object")}).Object(&collection); err == nil {
		t.Error("text was taken for an object")
	}
}

func TestNumbers(t *testing.T) {
	for text, want := range map[string]Numbers{"7": {7}, "18446744073709551615": {1<<64 - 1}, "[1,2]": {1, 2}, "[]": {}} {
		var got Numbers
		if err := json.Unmarshal([]byte(text), &got); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v", text, got, err)
		}
	}
	for _, text := range []string{`"7"`, "-1", "1.5", `["1"]`, "{}"} {
		if err := json.Unmarshal([]byte(text), new(Numbers)); err == nil {
			t.Errorf("%s was accepted", text)
		}
	}
}

func TestErrorsHoldNoArguments(t *testing.T) {
	if got := words("leader", []string{"task", "add", "--dir", "L", "secret"}); got != "leader task add" {
		t.Errorf("got %q", got)
	}
}

func TestUsage(t *testing.T) {
	stat := []byte("42 (a) b (c) S 1 42 42 0 -1 4194560 100 0 0 0 250 17 0 0 20 0 1 0 5 0 0")
	if got, err := cpuTime(stat); err != nil || got != 2670*time.Millisecond {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := cpuTime([]byte("42 (a) S 1")); err == nil {
		t.Error("a short line was accepted")
	}
	status := []byte("Name:\tx\nVmHWM:\t    1024 kB\nVmRSS:\t 512 kB\n")
	if got, err := kilobytes(status, "VmHWM"); err != nil || got != 1<<20 {
		t.Errorf("got %d, %v", got, err)
	}
	if _, err := kilobytes(status, "RssAnon"); err == nil {
		t.Error("a line that is not there was found")
	}
	if runtime.GOOS != "linux" {
		return // only Linux has /proc
	}
	if usage, err := ReadUsage(os.Getpid()); err != nil || usage.Resident == 0 || usage.PeakResident < usage.Anonymous {
		t.Errorf("got %+v, %v", usage, err)
	}
}

func TestMetric(t *testing.T) {
	text := []byte("# HELP bytes_total x\nbytes_total{direction=\"sent\"} 1.5e+06\nbytes_total_of_others 3\nbad x\n")
	for name, want := range map[string]float64{`bytes_total{direction="sent"}`: 1_500_000, "bytes_total_of_others": 3, "bytes_total": 0} {
		if got, err := metric(text, name); err != nil || got != want {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if _, err := metric(text, "bad"); err == nil {
		t.Error("a text was taken for a number")
	}
}

func TestFreeAddresses(t *testing.T) {
	a, err := FreeAddresses(3)
	if err != nil || len(a) != 3 || a[0] == a[1] || a[1] == a[2] || a[0] == a[2] {
		t.Fatalf("got %v, %v", a, err)
	}
	for range 2 { // a server that is started again
		listener, err := net.Listen("tcp", a[0])
		if err != nil {
			t.Fatal(err)
		}
		conn, err := net.Dial("tcp", a[0])
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		listener.Close()
	}
	if runtime.GOOS != "linux" {
		return // only there they stay reserved
	}
	for _, address := range a {
		_, port, _ := net.SplitHostPort(address)
		number, err := strconv.Atoi(port)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := reserve(number); !errors.Is(err, syscall.EADDRINUSE) {
			t.Errorf("%s is given away twice: %v", address, err)
		}
	}
}

func TestDirect(t *testing.T) {
	s := &Server{URL: "http://127.0.0.1:1/dap/", Listen: "127.0.0.1:2"}
	if got, err := s.direct("hpke_config"); err != nil || got != "http://127.0.0.1:2/dap/hpke_config" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSet(t *testing.T) {
	s := &Server{Role: "helper", Dir: t.TempDir()}
	path := filepath.Join(s.Dir, "config.toml")
	text := "role = 'helper'\n# asynchronous = 1\nasynchronous = false\n\n[log]\nlevel = 'info'\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Set("asynchronous", "true"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "role = 'helper'\n# asynchronous = 1\nasynchronous = true\n\n[log]\nlevel = 'info'\n" {
		t.Errorf("got %q, %v", got, err)
	}
	if err := s.Set("synchronous", "true"); err == nil {
		t.Error("a setting that is not there was set")
	}
}

func TestDiskBytes(t *testing.T) {
	s := &Server{Dir: t.TempDir()}
	file, err := os.Create(filepath.Join(s.Dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 140_000)
	_, _ = rand.Read(content) // never fails; what can be compressed takes less on some disks
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil { // synced: only then it has its blocks
		t.Fatal(err)
	}
	got, err := s.DiskBytes()
	if err != nil || got < 100_000 || got > 1<<20 {
		t.Errorf("got %d, %v", got, err)
	}
	s.Dir = filepath.Join(s.Dir, "none")
	if _, err := s.DiskBytes(); err == nil {
		t.Error("a directory that is not there has a size")
	}
}
