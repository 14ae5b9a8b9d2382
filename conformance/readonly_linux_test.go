package conformance

import (
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/twofold-dap/twofold/internal/processes"
)

// TestReadOnlyDisk lets the disk of running servers refuse every write: they refuse uploads and say when to try
// again, answer what needs no writing, go on when the disk can be written, and lose nothing.
//
// Without privileges a process's own writes are refused, whatever the file (RLIMIT_FSIZE of 0): all of the
// behaviour but the error number. With them there is a real file system besides that turns read-only, as ext4 does
// when it finds an error. Linux lets nobody make one read-only by hand while a file on it is open for writing, and
// an ext4 that did it by itself must be unmounted before it can be written again, so there the servers are started again.
func TestReadOnlyDisk(t *testing.T) {
	bin := t.TempDir()
	programs, err := processes.Build(t.Context(), bin)
	must(t, err)
	t.Run("every write of a process is refused", func(t *testing.T) {
		r := newReadOnlyRun(t, programs, t.TempDir())
		limit := func(limit uint64, servers ...*processes.Server) {
			for _, server := range servers {
				setFileSizeLimit(t, server.PID(), limit)
			}
		}
		limit(0, r.system.Leader)
		r.refuses()
		limit(1<<40, r.system.Leader)
		r.goesOn(200)
		// The Helper's disk: the Leader takes reports, and they wait.
		limit(0, r.system.Helper)
		r.uploads.upload(20, http.StatusOK)
		waitForStorage(t, r.system.Helper, "failing", nil) // the Leader asks it again and again
		answers(t, r.system.Helper)
		limit(1<<40, r.system.Helper)
		waitForStorage(t, r.system.Helper, "ready", nil)
		r.finish()
	})
	t.Run("an ext4 that turns read-only", func(t *testing.T) {
		disk, err := newExt4(t)
		if err != nil {
			t.Logf("NOT SHOWN on this machine, which has no loop device with ext4 for us: %v", err)
			return
		}
		r := newReadOnlyRun(t, programs, disk.dir)
		disk.breakDown()
		r.refuses()
		for _, server := range []*processes.Server{r.system.Leader, r.system.Helper} {
			must(t, server.Kill())
			if _, err := programs.Run(t.Context(), server.Role, "serve", "--dir", server.Dir); err == nil || !strings.Contains(err.Error(), "read-only") {
				t.Errorf("started on a read-only disk: %v", err)
			}
		}
		disk.repair()
		must(t, r.system.Start(t.Context()))
		r.goesOn(200)
		r.finish()
	})
}

// readOnlyRun has one task whose result was released and one that reports are uploaded to.
type readOnlyRun struct {
	*crash
	task, released *crashTask
	uploads        *diskUploads
	result         processes.Collection
}

func newReadOnlyRun(t *testing.T, programs *processes.Programs, dir string) *readOnlyRun {
	system, err := processes.NewSystem(t.Context(), programs, dir)
	must(t, err)
	t.Cleanup(func() {
		if err := system.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the Leader's log ends with:\n%s\nthe Helper's with:\n%s", system.Leader.Log(), system.Helper.Log())
		}
	})
	r := &readOnlyRun{crash: &crash{t: t, system: system}}
	r.released = r.newTask("released", false)
	r.uploadsOf(r.released).upload(40, http.StatusOK)
	r.result = r.collect()
	if r.result.ReportCount != 40 {
		t.Fatalf("%d reports are collected", r.result.ReportCount)
	}
	r.task = r.newTask("readonly", false)
	r.uploads = r.uploadsOf(r.task)
	r.uploads.upload(60, http.StatusOK)
	return r
}

func (r *readOnlyRun) uploadsOf(task *crashTask) *diskUploads {
	r.t.Helper()
	u := &diskUploads{t: r.t, task: task, leader: r.system.Leader}
	status, err := r.system.Leader.Status(r.t.Context())
	must(r.t, err)
	for _, s := range status.Tasks {
		if s.Name == task.task.Name {
			u.id = s.ID
		}
	}
	return u
}

// collect collects what was released, or asks for it again.
func (r *readOnlyRun) collect() processes.Collection {
	r.t.Helper()
	collection, err := r.system.Collect(r.t.Context(), r.released.task, "--interval", r.released.interval, "--timeout", "90s")
	must(r.t, err)
	return collection
}

// refuses checks what a Leader does that cannot write.
func (r *readOnlyRun) refuses() {
	r.t.Helper()
	accepted := r.uploads.accepted
	for range 10 {
		r.uploads.upload(20, http.StatusServiceUnavailable)
	}
	if r.uploads.accepted != accepted {
		r.t.Error("reports are accepted that cannot be written")
	}
	storage := waitForStorage(r.t, r.system.Leader, "failing", func() { r.uploads.upload(20, http.StatusServiceUnavailable) })
	if storage.Problem == "" || storage.Remedy == "" || storage.Since == nil {
		r.t.Errorf("the status says %+v", storage)
	}
	answers(r.t, r.system.Leader)
	if again := r.collect(); !reflect.DeepEqual(again, r.result) {
		r.t.Errorf("what was released is now %+v", again)
	}
}

// goesOn uploads until so many reports are accepted.
func (r *readOnlyRun) goesOn(reports int) {
	r.t.Helper()
	r.uploads.uploadUntil(reports, 20)
	waitForStorage(r.t, r.system.Leader, "ready", nil)
}

// finish uploads the rest and collects all.
func (r *readOnlyRun) finish() {
	r.t.Helper()
	r.goesOn(len(r.task.reports))
	r.checkInterval(r.task)
	r.checkStores()
	r.t.Logf("accepted %d reports; requests refused with 503: %d; lost: 0", r.uploads.accepted, r.uploads.refused)
}

// ext4 is a file system of its own on a loop device.
type ext4 struct {
	t          *testing.T
	image, dir string
	device     string
}

// newExt4 makes one. The error says what the machine lacks for it.
func newExt4(t *testing.T) (*ext4, error) {
	dir := t.TempDir()
	d := &ext4{t: t, image: filepath.Join(dir, "image"), dir: filepath.Join(dir, "disk")}
	must(t, os.Mkdir(d.dir, 0o700))
	must(t, os.WriteFile(d.image, nil, 0o600))
	must(t, os.Truncate(d.image, 128<<20))
	if err := command("mkfs.ext4", "-q", "-O", "^has_journal", d.image); err != nil {
		return nil, err
	}
	if err := d.mount(); err != nil {
		return nil, err
	}
	t.Cleanup(func() { must(t, syscall.Unmount(d.dir, syscall.MNT_DETACH)) })
	if _, err := os.Stat(d.trigger()); err != nil {
		return nil, err
	}
	return d, nil
}

func (d *ext4) mount() error {
	if err := command("mount", "-o", "loop,errors=remount-ro", d.image, d.dir); err != nil {
		return err
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	must(d.t, err)
	for line := range strings.Lines(string(mounts)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[1] == strings.ReplaceAll(d.dir, " ", `\040`) {
			d.device = filepath.Base(fields[0])
		}
	}
	return nil
}

// trigger is where ext4 is told to behave as if it had found an error.
func (d *ext4) trigger() string { return "/sys/fs/ext4/" + d.device + "/trigger_fs_error" }

// breakDown makes the file system read-only, though files on it are open for writing.
func (d *ext4) breakDown() {
	d.t.Helper()
	// What is not the servers', such as the task files, is written: only the servers must be ready for this at any time.
	must(d.t, command("sync", "-f", d.dir))
	must(d.t, os.WriteFile(d.trigger(), []byte("1"), 0o200))
	if err := os.WriteFile(filepath.Join(d.dir, "new"), nil, 0o600); err == nil {
		d.t.Fatal("the file system can still be written; this test tests nothing")
	}
}

// repair does what an operator does about it.
func (d *ext4) repair() {
	d.t.Helper()
	must(d.t, syscall.Unmount(d.dir, 0))
	must(d.t, command("e2fsck", "-p", d.image))
	must(d.t, d.mount())
}

// command runs a command of the system. An exit status of 1 is e2fsck's word for errors that it has repaired.
func command(name string, args ...string) error {
	output, err := exec.Command(name, args...).CombinedOutput()
	if exit, ok := err.(*exec.ExitError); ok && name == "e2fsck" && exit.ExitCode() == 1 {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, strings.TrimSpace(string(output)))
	}
	return nil
}
