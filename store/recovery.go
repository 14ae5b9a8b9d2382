package store

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// What a failed commit leaves behind.
//
// A commit writes its pages where nothing refers to them, waits for the disk, then writes one of the
// first two pages, which refers to them, and waits again. If it fails before that page, nothing has changed
// but pages that are free. If it fails after it, the transaction stands in the kernel's memory and
// may or may not stand on the disk; and the kernel may forget that it does not, so that a later
// fsync succeeds. Going on from there could overwrite pages that the disk's own state still needs.
//
// So after any failure but that of a disk that was full in time, the store stops writing until it knows
// again what the disk holds: it has the kernel forget its pages, checks all pages as Open does, writes the first two pages once
// more as they were read, waits for the disk to confirm, and opens the file anew. Whether
// the transaction is there afterwards or not, it is there for good; who asked for it was told
// ErrUnavailable, which allows both. And nobody is told anything that the transaction wrote before it is confirmed; see confirmed.

// outage is a time in which nothing is written.
type outage struct {
	cause error
	// unsure: what the disk holds must be found out.
	unsure bool
	// stuck: bbolt has panicked and may hold its locks for ever.
	stuck bool
}

// commitState is the newest commit.
type commitState struct {
	txid uint64
	done chan struct{} // closed when it is known whether the commit stands
	ok   atomic.Bool   // that it does; a later recovery may find that it does after all
}

// confirmed waits until a transaction that a reader has seen is on the disk: bbolt shows a commit to
// readers before the disk has confirmed it. commit is the newest one as of that reading, or nil.
func confirmed(seen uint64, commit *commitState) error {
	if commit == nil || seen < commit.txid {
		return nil
	}
	if <-commit.done; !commit.ok.Load() {
		return unavailable(ErrUnconfirmed)
	}
	return nil
}

// isKnown tells whether confirmed would not wait.
func isKnown(seen uint64, commit *commitState) bool {
	if commit == nil || seen < commit.txid {
		return true
	}
	select {
	case <-commit.done:
		return true
	default:
		return false
	}
}

// suspend begins an outage.
func (c *committer) suspend(o outage) {
	if c.outage == nil {
		c.outage = &o
	}
}

// firstRecovery follows a failure after which it is not known what the disk holds. Finding out may succeed at once.
func (c *committer) firstRecovery() {
	c.store.tell(c.store.newHealth(StateFailing, c.outage.cause))
	if c.recover(); c.outage == nil {
		c.store.tell(c.store.Health())
	}
}

// recover tries to end the outage, and tells in the end whether the newest commit stands.
func (c *committer) recover() {
	err := c.tryRecovery()
	if err == nil {
		c.outage = nil
		c.settleCommit()
		c.newest.Store(nil) // whatever is read from now on is on the disk
		c.store.setHealth(StateReady, nil)
	} else if c.hopeless(err) {
		c.store.setHealth(StateFailed, err)
	} else {
		c.store.setHealth(StateFailing, c.outage.cause)
	}
	c.settleCommit()
}

// hopeless tells whether trying again cannot help.
func (c *committer) hopeless(err error) bool {
	return errors.Is(err, ErrCorrupt) || errors.Is(err, ErrReplaced)
}

// settleCommit tells who waits for the newest commit whether it stands.
func (c *committer) settleCommit() {
	commit := c.newest.Load()
	if commit == nil {
		return
	}
	commit.ok.Store(c.store.durable.Load() >= commit.txid)
	select {
	case <-commit.done: // by an attempt before, which has failed
	default:
		close(commit.done)
	}
}

func (c *committer) tryRecovery() error {
	if hook := c.store.options.CommitHook; hook != nil {
		if err := hook(Recovering); err != nil {
			return err
		}
	}
	if c.outage.unsure || c.store.db == nil {
		return c.store.reopen(c.outage)
	}
	return c.probe(false)
}

// probe looks whether there is space for a small transaction.
func (c *committer) probe(upload bool) error {
	tx, err := c.store.db.Begin(true)
	if err != nil {
		return err
	}
	err = c.room.makeRoom(c.store.file, tx, commitOverhead, upload)
	return errors.Join(err, guard(tx.Rollback))
}

// retry is called from time to time while the store is not ready.
func (c *committer) retry() {
	switch c.store.health.Load().State {
	case StateFailing:
		c.recover()
	case StateFull:
		if c.probe(true) == nil {
			c.store.setHealth(StateReady, nil)
		}
	}
}

// reopen finds out what the disk holds and opens the file anew. Until the last moment readers go on.
func (s *store) reopen(o *outage) error {
	settled := false
	if s.db != nil && !o.stuck {
		if err := s.settle(s.file); err != nil {
			return err
		}
		settled = true
	}
	s.reopening.Store(true)
	defer s.reopening.Store(false)
	s.swap.Lock()
	defer s.swap.Unlock()
	s.letGo(o.stuck)
	file, err := s.openAgain()
	if err != nil {
		return err
	}
	if !settled {
		if err := s.settle(file); err != nil {
			return errors.Join(err, closeLocked(file))
		}
	}
	db, err := openBolt(s.path, s.boltOptions(file))
	if err != nil {
		return errors.Join(err, closeLocked(file))
	}
	if err := s.adopt(db, file); err != nil {
		return errors.Join(err, db.Close())
	}
	return nil
}

// release gives the file's pages back to the kernel, so that it can forget them.
func (s *store) release() error {
	if s.db == nil {
		return nil
	}
	return guard(func() error { return s.db.View(func(tx *bolt.Tx) error { releasePages(tx); return nil }) })
}

// settle makes the state of the file certain: what is read is what the disk holds, every page
// makes sense, and the disk confirms the two pages on which the state depends.
func (s *store) settle(file *os.File) error {
	if err := s.release(); err != nil {
		return err
	}
	forgetPages(file)
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if err := checkPages(file, info.Size(), everyLeaf); err != nil {
		return s.openError(err)
	}
	meta, err := readMeta(file)
	if err != nil {
		return s.openError(err)
	}
	if err := s.expect(meta.txid); err != nil {
		return err
	}
	first := make([]byte, 2*meta.pageSize)
	if _, err := file.ReadAt(first, 0); err != nil {
		return err
	}
	if _, err := file.WriteAt(first, 0); err != nil || s.options.NoSync {
		return err
	}
	return file.Sync()
}

// expect checks that the file's newest transaction is the last that was confirmed, or the one
// after it, which was not: else another process has written to it.
func (s *store) expect(txid uint64) error {
	durable := s.durable.Load()
	if txid == durable || txid == durable+1 {
		return nil
	}
	return &OpenError{
		Path: s.path, Problem: ErrReplaced,
		Detail: fmt.Sprintf("its newest transaction is %d, where %d was the last", txid, durable),
		Remedy: "start the server again",
	}
}

// letGo closes the file. If bbolt holds its locks for ever its mapping stays.
func (s *store) letGo(stuck bool) {
	if s.db == nil {
		return
	}
	db, file := s.db, s.file
	s.db, s.file = nil, nil
	if !stuck && guard(db.Close) == nil {
		return
	}
	_ = closeLocked(file)
}

// closeLocked closes a file that may be mapped and locked.
func closeLocked(file *os.File) error {
	unlock(file)
	if err := file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return err
	}
	return nil
}

// openAgain opens and locks the file that was open before.
func (s *store) openAgain() (*os.File, error) {
	file, err := os.OpenFile(s.path, os.O_RDWR, fileMode)
	if err != nil {
		return nil, s.openError(err)
	}
	info, err := file.Stat()
	if err == nil && !os.SameFile(info, s.identity) {
		err = &OpenError{Path: s.path, Problem: ErrReplaced, Detail: "it is another file", Remedy: "start the server again"}
	}
	if err == nil {
		err = lock(file)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// adopt makes an open database the store's.
func (s *store) adopt(db *bolt.DB, file *os.File) error {
	info, err := file.Stat()
	if err != nil {
		return err
	}
	var txid uint64
	err = guard(func() error {
		return db.View(func(tx *bolt.Tx) error { txid = uint64(tx.ID()); return nil })
	})
	if err != nil {
		return err
	}
	if s.identity != nil {
		if err := s.expect(txid); err != nil {
			return err
		}
	}
	s.db, s.file, s.identity = db, file, info
	s.durable.Store(txid)
	return nil
}
