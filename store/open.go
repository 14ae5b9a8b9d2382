package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
)

// store is what both roles have in common.
type store struct {
	path    string
	role    dap.Role
	seal    *sealer
	options Options
	// restoring: the file may be a copy.
	restoring bool

	// swap is held for reading by whoever reads, and by recovery while it changes the next three. The
	// committer, which recovers, reads them without it.
	swap     sync.RWMutex
	db       *bolt.DB // nil while the file could not be opened again
	file     *os.File // db's
	identity os.FileInfo
	// durable is the newest transaction that the disk has confirmed.
	durable atomic.Uint64
	health  atomic.Pointer[Health]
	// reopening: recovery waits for whoever reads.
	reopening atomic.Bool

	committer *committer
	closing   sync.Once
	isClosed  atomic.Bool
	closeErr  error

	// filter is nil if there is none. The committer alone changes it.
	filter      atomic.Pointer[idFilter]
	filling     sync.WaitGroup
	fillContext context.Context
	stopFilling context.CancelFunc

	recent *recentMemory
}

// Leader is a Leader's durable state. It implements aggregator.LeaderStore.
type Leader struct{ store }

// Helper is a Helper's durable state. It implements aggregator.HelperStore.
type Helper struct{ store }

// OpenLeader opens a Leader's database with the key of KeySize bytes that seals
// its secrets. What can be wrong with the file comes as an *OpenError.
func OpenLeader(path string, key secret.Bytes, options Options) (*Leader, error) {
	var l Leader
	if err := l.open(path, dap.RoleLeader, key, options); err != nil {
		return nil, err
	}
	return &l, nil
}

// OpenHelper is OpenLeader for a Helper's database.
func OpenHelper(path string, key secret.Bytes, options Options) (*Helper, error) {
	var h Helper
	if err := h.open(path, dap.RoleHelper, key, options); err != nil {
		return nil, err
	}
	return &h, nil
}

func (s *store) open(path string, role dap.Role, key secret.Bytes, options Options) error {
	seal, err := newSealer(key)
	if err != nil {
		return err
	}
	s.path, s.role, s.seal, s.options = path, role, seal, options.withDefaults()
	s.recent = newRecentMemory(&s.options)
	if s.options.Create {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			if err := s.create(); err != nil {
				return s.openError(err)
			}
		}
	}
	pages, err := s.inspect()
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_RDWR, fileMode)
	if err != nil {
		return s.openError(err)
	}
	if err := s.listFreePages(file, pages); err != nil {
		return s.openError(errors.Join(err, closeLocked(file)))
	}
	if s.db, err = openBolt(path, s.boltOptions(file)); err != nil {
		return s.openError(errors.Join(err, closeLocked(file)))
	}
	err = guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			defer releasePages(tx)
			return s.checkFile(tx)
		})
	})
	if err == nil {
		err = s.migrate()
	}
	if err == nil {
		err = s.adopt(s.db, file)
	}
	if err != nil {
		s.db.Close()
		return s.openError(err)
	}
	s.setHealth(StateReady, nil)
	s.committer = newCommitter(s)
	s.fillContext, s.stopFilling = context.WithCancel(context.Background())
	s.loadRecent()
	s.firstFilter()
	return nil
}

const fileMode = 0o600

// boltOptions chooses how bbolt works on an open file. Whether the list of free pages is written
// is the committer's choice, see chooseFreelist.
//
// The mapping's first size is address space, not memory; while the file fits into it
// a growing file never waits for readers.
func (s *store) boltOptions(file *os.File) *bolt.Options {
	size := int64(0)
	if info, err := file.Stat(); err == nil {
		size = info.Size()
	}
	return &bolt.Options{
		Timeout:         s.options.LockTimeout,
		NoFreelistSync:  true,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: mappingFor(size),
		NoSync:          s.options.NoSync,
		OpenFile:        func(string, int, os.FileMode) (*os.File, error) { return file, nil },
	}
}

// openBolt is bolt.Open for files that may be damaged, on which bbolt panics. After an error
// the file may still be open and locked: see closeLocked.
func openBolt(path string, options *bolt.Options) (db *bolt.DB, err error) {
	err = guard(func() (err error) {
		db, err = bolt.Open(path, fileMode, options)
		return err
	})
	return db, err
}

// create makes the file beside its place and moves it there whole.
func (s *store) create() error {
	temporary := s.path + ".new"
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	db, err := bolt.Open(temporary, fileMode, &bolt.Options{
		Timeout: s.options.LockTimeout, NoFreelistSync: true, NoSync: s.options.NoSync, PageSize: s.options.PageSize,
	})
	if err != nil {
		return err
	}
	err = db.Update(s.writeSchema)
	if err = errors.Join(err, db.Close()); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	// Link, unlike Rename, never replaces a file that another process has made meanwhile.
	err = os.Link(temporary, s.path)
	if err = errors.Join(err, os.Remove(temporary)); err != nil {
		return err
	}
	return syncDirectory(filepath.Dir(s.path))
}

func syncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// inspect looks at the file without changing it: whether it is a database, whether all its
// pages make sense, and whether it is of this role and version and fits the key. Meanwhile
// no other process can write to it. It returns what it knows of the pages.
func (s *store) inspect() (pages *pageChecker, err error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return nil, s.openError(err)
	}
	if !info.Mode().IsRegular() || info.Size() == 0 {
		return nil, s.openError(berrors.ErrInvalid)
	}
	file, err := os.Open(s.path)
	if err != nil {
		return nil, s.openError(err)
	}
	defer closeLocked(file)
	if first, ok := readMetaAt(file, 0); ok && info.Size() < 2*int64(first.pageSize) {
		return nil, s.openError(pageError(0, "the file has %d bytes, but should have %d pages of %d", info.Size(), first.high, first.pageSize))
	}
	db, err := openBolt(s.path, &bolt.Options{
		Timeout: s.options.LockTimeout, ReadOnly: true,
		OpenFile: func(string, int, os.FileMode) (*os.File, error) { return file, nil },
	})
	if err != nil {
		return nil, s.openError(err)
	}
	defer db.Close()
	if info, err = file.Stat(); err != nil { // now that nobody changes it
		return nil, s.openError(err)
	}
	if pages, err = readPages(file, info.Size(), leavesAtOpening); err != nil {
		return nil, s.openError(err)
	}
	if err := guard(func() error { return db.View(s.checkFile) }); err != nil {
		return nil, s.openError(err)
	}
	return pages, nil
}

// checkFile says whether this program, with this key, may use the file.
func (s *store) checkFile(tx *bolt.Tx) error {
	if err := s.checkSchema(tx); err != nil || s.restoring {
		return err
	}
	return s.refuseCopy(tx)
}

// openError says what err means for the file, and what to do about it.
func (s *store) openError(err error) error {
	e := &OpenError{Path: s.path, Problem: ErrUnreadable, Detail: err.Error()}
	switch {
	case errors.As(err, new(*OpenError)):
		return err
	case errors.Is(err, fs.ErrNotExist):
		*e = OpenError{Path: s.path, Problem: ErrNoFile, Remedy: "initialize the directory first, or check the path"}
	case errors.Is(err, berrors.ErrTimeout):
		*e = OpenError{Path: s.path, Problem: ErrLocked, Remedy: "stop that process, or operate the running server through its socket"}
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch):
		*e = OpenError{Path: s.path, Problem: ErrNotStore, Remedy: "check the path; the file was not changed"}
	case errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrInvalidMapping), errors.Is(err, ErrCorrupt):
		e.Problem, e.Remedy = ErrCorrupt, "restore it from a backup and check the disk; the file was not changed"
	default:
		e.Remedy = "check the file's owner, its mode and the disk"
	}
	return e
}

// Path is where the file is.
func (s *store) Path() string { return s.path }

// Close waits for the operations that are queued and closes the file.
func (s *store) Close() error {
	s.closing.Do(func() {
		s.isClosed.Store(true)
		s.stopFilling()
		s.committer.stop()
		s.filling.Wait()
		s.swap.Lock()
		defer s.swap.Unlock()
		if outage := s.committer.outage; outage != nil {
			s.letGo(outage.stuck)
			s.closeErr = unavailable(outage.cause)
			return
		}
		err := s.committer.leaveFreelist()
		if err == nil {
			s.saveFilter()
		}
		s.closeErr = errors.Join(err, s.db.Close())
	})
	return s.closeErr
}

func (s *store) closed() bool { return s.isClosed.Load() }

// closedError turns bbolt's word for a closed database into this package's.
func closedError(err error) error {
	if errors.Is(err, berrors.ErrDatabaseNotOpen) {
		return unavailable(ErrClosed)
	}
	return err
}

var (
	_ aggregator.LeaderStore = (*Leader)(nil)
	_ aggregator.HelperStore = (*Helper)(nil)
)
