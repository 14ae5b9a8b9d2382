package conformance

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/processes"
)

// smallDisk is a disk that can be filled and emptied while a server runs on it.
type smallDisk interface {
	// fill leaves so many bytes for the Leader's database to grow.
	fill(t *testing.T, server *processes.Server, left int64)
	empty(t *testing.T, server *processes.Server)
}

// TestFullDisk fills a running Leader's disk: it refuses uploads and says when to try again, answers
// everything else, aggregates what it has, takes uploads again in the space that this frees and then when the disk
// has space, and loses nothing.
func TestFullDisk(t *testing.T) {
	bin := t.TempDir()
	programs, err := processes.Build(t.Context(), bin)
	must(t, err)
	t.Run("a limit on the size of files", func(t *testing.T) {
		fullDisk(t, programs, t.TempDir(), fileSizeLimit{})
	})
	t.Run("a small tmpfs", func(t *testing.T) {
		dir := t.TempDir()
		var disk smallDisk = smallTmpfs{dir}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", tmpfsSize)); err != nil {
			t.Logf("this machine lets nobody mount a tmpfs (%v): a limit on the size of files stands for it", err)
			disk = fileSizeLimit{}
		} else {
			t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
		}
		fullDisk(t, programs, dir, disk)
	})
}

// fileSizeLimit makes the process's files unable to grow, which needs no privilege.
type fileSizeLimit struct{}

func (fileSizeLimit) fill(t *testing.T, server *processes.Server, left int64) {
	info, err := os.Stat(filepath.Join(server.Dir, server.Role+".db"))
	must(t, err)
	setFileSizeLimit(t, server.PID(), uint64(info.Size()+left))
}

func (fileSizeLimit) empty(t *testing.T, server *processes.Server) {
	setFileSizeLimit(t, server.PID(), 1<<40)
}

// setFileSizeLimit changes a running process's limit (the soft one, so that it can be raised again).
func setFileSizeLimit(t *testing.T, pid int, bytes uint64) {
	t.Helper()
	var old, limit syscall.Rlimit
	prlimit := func(set, get *syscall.Rlimit) {
		_, _, errno := syscall.RawSyscall6(syscall.SYS_PRLIMIT64, uintptr(pid), syscall.RLIMIT_FSIZE,
			uintptr(unsafe.Pointer(set)), uintptr(unsafe.Pointer(get)), 0, 0)
		if errno != 0 {
			t.Fatal(errno)
		}
	}
	prlimit(nil, &old)
	limit.Max = old.Max
	limit.Cur = min(bytes, old.Max)
	prlimit(&limit, nil)
	runtime.KeepAlive(&limit)
}

// smallTmpfs is a file system of its own, which another file fills.
type smallTmpfs struct{ dir string }

const tmpfsSize = 64 << 20

func (d smallTmpfs) ballast() string { return filepath.Join(d.dir, "ballast") }

func (d smallTmpfs) fill(t *testing.T, _ *processes.Server, left int64) {
	var stat syscall.Statfs_t
	must(t, syscall.Statfs(d.dir, &stat))
	file, err := os.Create(d.ballast())
	must(t, err)
	defer file.Close()
	must(t, syscall.Fallocate(int(file.Fd()), 0, 0, int64(stat.Bavail)*stat.Bsize-left))
}

func (d smallTmpfs) empty(t *testing.T, _ *processes.Server) { must(t, os.Remove(d.ballast())) }

// diskPatience bounds waiting for what must happen.
const diskPatience = 2 * time.Minute

// fullDisk is one run.
func fullDisk(t *testing.T, programs *processes.Programs, dir string, disk smallDisk) {
	ctx := t.Context()
	system, err := processes.NewSystem(ctx, programs, dir)
	must(t, err)
	defer func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the Leader's log ends with:\n%s", system.Leader.Log())
		}
	}()
	c := &crash{t: t, system: system}
	task := c.newTask("full", false)
	// While the Helper is away reports pile up.
	must(t, system.Helper.Stop())
	u := &diskUploads{t: t, task: task, leader: system.Leader, id: dap.TaskID{}}
	status, err := system.Leader.Status(ctx)
	must(t, err)
	u.id = status.Tasks[0].ID
	u.upload(20, http.StatusOK)

	disk.fill(t, system.Leader, 256<<10)
	for u.refused == 0 && u.next < len(task.reports) {
		u.upload(20, 0)
	}
	if u.refused == 0 {
		t.Fatal("the disk was never full")
	}
	full := u.accepted
	for range 50 {
		u.upload(1, 0)
	}
	// The store looks for space now and then, and may find what is too little for a report: then it is ready until the next one.
	storage := waitForStorage(t, system.Leader, "full", func() { u.upload(1, 0) })
	if storage.Problem == "" || storage.Remedy == "" || storage.Since == nil {
		t.Errorf("the status says %+v", storage)
	}
	answers(t, system.Leader)
	if _, err := programs.Run(ctx, "leader", "check", "--dir", system.Leader.Dir); err != nil {
		t.Errorf("with a full disk: %v", err)
	}

	// What is there is aggregated on the full disk, and what that frees is used for new reports.
	must(t, system.Helper.Start(ctx))
	waitForCount(t, system.Leader, u.id, uint64(u.accepted))
	waitForStorage(t, system.Leader, "ready", nil)
	u.uploadUntil(u.next+5, 5)
	freed := u.accepted - full

	disk.empty(t, system.Leader)
	u.uploadUntil(len(task.reports), 20)
	c.checkInterval(task)
	c.checkStores()
	t.Logf("accepted %d until the disk was full, %d in space that was freed, %d in all; requests refused with 503: %d; lost: 0",
		full, freed, u.accepted, u.refused)
}

// diskUploads uploads a task's reports one after the other.
type diskUploads struct {
	t       *testing.T
	task    *crashTask
	leader  *processes.Server
	id      dap.TaskID
	next    int
	refused int // requests

	accepted int // reports
}

// upload sends the next reports in one request. Refused ones come again with the next request. The status must be want, or,
// if that is 0, success or a refusal as it should be.
func (u *diskUploads) upload(n, want int) {
	u.t.Helper()
	end := min(u.next+n, len(u.task.reports))
	body, err := dap.UploadRequest{Reports: u.task.reports[u.next:end]}.Encode()
	must(u.t, err)
	request, err := http.NewRequestWithContext(u.t.Context(), http.MethodPost, u.leader.URL+"tasks/"+u.id.String()+"/reports", bytes.NewReader(body))
	must(u.t, err)
	request.Header.Set("Content-Type", "application/ppm-dap;message=upload-req")
	response, err := http.DefaultClient.Do(request)
	must(u.t, err)
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	must(u.t, err)
	switch {
	case response.StatusCode == http.StatusOK && (want == 0 || want == http.StatusOK):
		for i := u.next; i < end; i++ {
			u.task.accepted[i] = true
		}
		u.accepted += end - u.next
		u.next = end
	case response.StatusCode == http.StatusServiceUnavailable && (want == 0 || want == http.StatusServiceUnavailable):
		u.refused++
		if response.Header.Get("Retry-After") == "" || response.Header.Get("Content-Type") != "application/problem+json" {
			u.t.Errorf("a refusal says %v, %s", response.Header, content)
		}
	default:
		u.t.Fatalf("status %s, want %d: %s", response.Status, want, content)
	}
}

// uploadUntil uploads n reports at a time until all before end are accepted. Some requests may still be
// refused, since the server works in the background and looks at the disk now and then.
func (u *diskUploads) uploadUntil(end, n int) {
	u.t.Helper()
	for deadline := time.Now().Add(diskPatience); u.next < end; {
		before := u.next
		if u.upload(min(n, end-before), 0); u.next > before {
			continue
		}
		if time.Now().After(deadline) {
			u.t.Fatalf("report %d is still refused", before)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// waitForStorage waits until a server's storage is in a state, and has something done before each look, if it is not nil.
func waitForStorage(t *testing.T, server *processes.Server, state string, before func()) api.OperatorStorage {
	t.Helper()
	for deadline := time.Now().Add(diskPatience); ; time.Sleep(10 * time.Millisecond) {
		if before != nil {
			before()
		}
		status, err := server.Status(t.Context())
		must(t, err)
		if status.Storage.State == state {
			return status.Storage
		}
		if time.Now().After(deadline) {
			t.Fatalf("the storage is %+v, and not %s", status.Storage, state)
		}
	}
}

func waitForCount(t *testing.T, server *processes.Server, task dap.TaskID, aggregated uint64) {
	t.Helper()
	for deadline := time.Now().Add(diskPatience); ; time.Sleep(10 * time.Millisecond) {
		counts, err := server.Counts(t.Context(), task)
		must(t, err)
		if counts.Aggregated == aggregated {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%+v, and not %d aggregated", counts, aggregated)
		}
	}
}

// answers checks that a server answers what needs no disk.
func answers(t *testing.T, server *processes.Server) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"hpke_config", nil)
	must(t, err)
	response, err := http.DefaultClient.Do(request)
	must(t, err)
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Errorf("hpke_config: %s", response.Status)
	}
}
