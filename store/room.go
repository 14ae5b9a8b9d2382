package store

import (
	"errors"
	"math"
	"os"
	"syscall"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// room has the disk promise the space that the file is about to need. Without it
// a full disk would be found in the middle of a commit; with it, before anything of the
// transaction is written. And it keeps some of the file's space for what is no upload, so that on a
// full disk the reports that are there already are aggregated, collected and freed.
type room struct {
	// promised is up to where the file's bytes have space on the disk.
	promised int64
	// unknown: the file system makes no promises; its refusals are found when they happen.
	unknown bool
}

const (
	// reservedRoom is what uploads leave for all else.
	reservedRoom = 8 << 20
	// The file grows by an eighth, but by so much at least and at most.
	leastGrowth, mostGrowth = 1 << 20, 16 << 20
	// commitOverhead are the pages that any transaction writes, and touchedRoom bounds what
	// is added for the pages that it changes here and there.
	commitOverhead, touchedRoom = 256 << 10, 8 << 20
	// touchedByWrite is the part of a page that is changed with each value: the others on it are mostly changed with it.
	touchedByWrite = 4 << 10
)

// need is how many bytes of new pages the transaction writes, roughly: a page holds the
// values next to those that are new, too, and is written whole.
func (t *txn) need() int64 {
	touched := min(int64(t.writes)*touchedByWrite, touchedRoom)
	return 2*int64(t.written) + touched + commitOverhead
}

// makeRoom makes sure that the disk has space for a transaction that writes so many bytes of new
// pages. If it has none the error is ErrNoSpace.
func (r *room) makeRoom(file *os.File, tx *bolt.Tx, need int64, upload bool) error {
	if r.unknown {
		return nil
	}
	if upload {
		need += reservedRoom
	}
	db := tx.DB()
	free := int64(db.Stats().FreePageN) * int64(db.Info().PageSize)
	end := tx.Size() + need - free
	if end <= r.promised {
		return nil
	}
	growth := min(max(tx.Size()/8, leastGrowth), mostGrowth)
	err := r.extend(file, end+growth)
	if isNoSpace(err) {
		err = r.extend(file, end)
	}
	return err
}

// extend has the disk promise the file's bytes up to end.
func (r *room) extend(file *os.File, end int64) error {
	err := allocate(file, r.promised, end-r.promised)
	if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENODEV) {
		r.unknown = true
		return nil
	}
	if err != nil {
		return err
	}
	// The file's new length must not be lost when the pages in it are not.
	if err := file.Sync(); err != nil {
		return err
	}
	r.promised = end
	return nil
}

// isNoSpace tells whether the disk, or what may be had of it, is full.
func isNoSpace(err error) bool {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, berrors.ErrMaxSizeReached, ErrNoSpace} {
		if errors.Is(err, full) {
			return true
		}
	}
	return false
}

// mappingFor is how much of the address space is given to a file of size bytes. While the
// file fits into it a growing file never waits for readers, such as a backup. It is space
// for addresses and takes no memory.
func mappingFor(size int64) int {
	const least, most = 1 << 30, 1 << 40
	if math.MaxInt == math.MaxInt32 {
		return 0
	}
	return int(min(max(4*size, least), most))
}
