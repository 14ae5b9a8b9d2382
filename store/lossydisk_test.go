package store

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"syscall"
	"testing"
	"unsafe"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/internal/memorydir"
)

// lossyDisk stands between bbolt and a file. It makes writes and syncs fail, and it knows what a real disk
// would hold: what was confirmed, and of the rest what it likes. After a sync that failed the kernel
// takes pages for written that are not; the disk may then hold old ones, and may show them at any time.
type lossyDisk struct {
	t      testing.TB
	s      *store
	random *rand.Rand
	// choose decides what happens to a write; meta tells that it is one of the first two pages.
	choose func(meta bool) diskFault

	db      *bolt.DB
	real    *os.File // another descriptor of the same open file, which faults leave alone
	broken  *os.File // a pipe, on which every sync fails
	size    int64    // of a page
	held    []byte   // what the disk holds for certain
	pending map[int64][]byte
	faults  map[diskFault]int
	fd      int
	// crashes are what a power failure would leave, at moments within commits.
	crash func(content []byte)
}

type diskFault int

const (
	noFault diskFault = iota
	writeFails
	writeFull
	writeShort
	syncFails
	powerFails // between two writes; the process itself goes on
)

func newLossyDisk(t testing.TB, s *store, random *rand.Rand) *lossyDisk {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	t.Cleanup(func() { w.Close() })
	d := &lossyDisk{t: t, s: s, random: random, broken: w, pending: make(map[int64][]byte), faults: make(map[diskFault]int)}
	return d
}

// attach puts the disk below the store's database, if it is not there yet. It is called by the committer.
func (d *lossyDisk) attach() {
	if d.db == d.s.db {
		return
	}
	d.db = d.s.db
	if d.real != nil {
		d.real.Close()
	}
	d.fd = int(d.s.file.Fd())
	fd, err := syscall.Dup(d.fd)
	if err != nil {
		d.t.Fatal(err)
	}
	d.real = os.NewFile(uintptr(fd), "real")
	d.size = int64(d.db.Info().PageSize)
	if d.held == nil {
		d.held = d.content()
	} else { // the first two pages were written anew and confirmed
		copy(d.held, d.content()[:2*d.size])
	}
	clear(d.pending)
	// The field is bbolt's own hook for tests.
	ops := reflect.ValueOf(d.db).Elem().FieldByName("ops").FieldByName("writeAt")
	*(*func([]byte, int64) (int, error))(unsafe.Pointer(ops.UnsafeAddr())) = d.writeAt
}

func (d *lossyDisk) content() []byte {
	content, err := os.ReadFile(d.s.path)
	if err != nil {
		d.t.Fatal(err)
	}
	return content
}

func (d *lossyDisk) writeAt(b []byte, at int64) (int, error) {
	meta := at < 2*d.size
	if meta {
		d.confirm() // bbolt has waited for the pages before it
	}
	fault := d.choose(meta)
	d.faults[fault]++
	n := len(b)
	switch fault {
	case writeFails:
		return 0, syscall.EIO
	case writeFull:
		return 0, syscall.ENOSPC
	case writeShort:
		n /= 2
	}
	if _, err := d.real.WriteAt(b[:n], at); err != nil {
		d.t.Error(err)
	}
	d.pending[at] = bytes.Clone(b[:n])
	switch fault {
	case writeShort:
		return n, syscall.EIO
	case syncFails:
		if err := syscall.Dup3(int(d.broken.Fd()), d.fd, syscall.O_CLOEXEC); err != nil {
			d.t.Error(err)
		}
	case powerFails:
		d.crash(d.afterPowerFailure())
	}
	return n, nil
}

// confirm: the disk holds what was written.
func (d *lossyDisk) confirm() {
	for at, b := range d.pending {
		d.hold(at, b)
	}
	clear(d.pending)
}

func (d *lossyDisk) hold(at int64, b []byte) {
	if need := int(at) + len(b); need > len(d.held) {
		d.held = append(d.held, make([]byte, need-len(d.held))...)
	}
	copy(d.held[at:], b)
}

// mend makes syncs succeed again. Of what was not confirmed some is lost, and the kernel
// shows some of that as the disk has it.
func (d *lossyDisk) mend() {
	if d.real == nil {
		return
	}
	if err := syscall.Dup3(int(d.real.Fd()), d.fd, syscall.O_CLOEXEC); err != nil {
		d.t.Error(err)
	}
	for at, b := range d.pending {
		switch d.random.IntN(3) {
		case 0:
			d.hold(at, b)
		case 1: // forgotten by the kernel: the disk's own is read
			old := make([]byte, len(b))
			if at < int64(len(d.held)) {
				copy(old, d.held[at:])
			}
			if _, err := d.real.WriteAt(old, at); err != nil {
				d.t.Error(err)
			}
		}
	}
	clear(d.pending)
}

// afterPowerFailure is what the disk may hold if the power fails now.
func (d *lossyDisk) afterPowerFailure() []byte {
	content := make([]byte, max(len(d.held), len(d.content())))
	copy(content, d.held)
	for at, b := range d.pending {
		if d.random.IntN(2) == 0 {
			copy(content[at:], b)
		}
	}
	return content
}

// memoryDir is a directory that is as fast as there is one.
func memoryDir(t testing.TB) string {
	dir, err := os.MkdirTemp(memorydir.Root(), "twofold")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// opensAs opens a file with that content and checks it.
func opensAs(t testing.TB, content []byte) *Leader {
	t.Helper()
	path := filepath.Join(memoryDir(t), "after.db")
	if err := os.WriteFile(path, content, fileMode); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLeader(path, checkKey, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	if violations, err := l.Check(t.Context()); err != nil || len(violations) > 0 {
		t.Fatal(violations, err)
	}
	return l
}
