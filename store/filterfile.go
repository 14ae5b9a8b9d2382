package store

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"os"

	bolt "go.etcd.io/bbolt"
)

// A store that is closed leaves its filter in a file beside the database, so that the next one that is opened has it at once. The
// file says of which database and of which of its transactions it is; it is of use for that state alone, and
// nothing but speed is lost without it.
//
//	struct {
//	  opaque magic[16];
//	  opaque instance[16];     // Standing
//	  uint64 starts;
//	  uint64 transaction;
//	  opaque key[16];          // idFilter
//	  uint64 found;
//	  uint64 added;
//	  uint64 limit;
//	  uint64 blocks;
//	  uint64 words[4*blocks];  // little-endian, as all numbers
//	  opaque digest[32];       // SHA-256 of all before
//	} filterFile;
type filterHeader struct {
	Magic               [16]byte
	Instance            [16]byte
	Starts, Transaction uint64
	Key                 [filterKeySize]byte
	Found, Added, Limit uint64
	Blocks              uint64
}

var filterMagic = [16]byte([]byte("twofold filter 1"))

// filterPath is where the filter of a database is left.
func filterPath(database string) string { return database + ".filter" }

// filterState is the database's state. Without an instance there is no filter of it.
func (s *store) filterState() (h filterHeader, err error) {
	err = guard(func() error {
		return s.db.View(func(tx *bolt.Tx) error {
			standing, err := readStanding(tx)
			h = filterHeader{Magic: filterMagic, Instance: standing.Instance, Starts: standing.Starts, Transaction: uint64(tx.ID())}
			return err
		})
	})
	if err == nil && h.Instance == [16]byte{} {
		err = errors.New("no server has started on the database")
	}
	return h, err
}

// saveFilter leaves the filter for the next one who opens the store. The disk need not confirm it: a part of it is as good as nothing.
func (s *store) saveFilter() {
	f := s.filter.Load()
	if f == nil || !f.complete.Load() {
		return
	}
	h, err := s.filterState()
	if err != nil {
		return
	}
	h.Key, h.Found, h.Added, h.Limit, h.Blocks = f.key, f.found, uint64(f.added.Load()), uint64(f.limit), uint64(len(f.blocks))
	path := filterPath(s.path)
	if err := writeFilter(path+".new", &h, f.blocks); err != nil || os.Rename(path+".new", path) != nil {
		_ = os.Remove(path + ".new")
	}
}

func writeFilter(path string, h *filterHeader, blocks []filterBlock) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	digest := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(file, digest), filterBuffer)
	if err := binary.Write(out, binary.LittleEndian, h); err != nil {
		return err
	}
	var encoded [blockBytes]byte
	for i := range blocks {
		for word := range blocks[i] {
			binary.LittleEndian.PutUint64(encoded[8*word:], blocks[i][word])
		}
		if _, err := out.Write(encoded[:]); err != nil {
			return err
		}
	}
	if err := out.Flush(); err != nil {
		return err
	}
	_, err = file.Write(digest.Sum(nil))
	return err
}

const filterBuffer = 1 << 16

// loadFilter returns the filter that was left for the database as it is, or nil. Whatever is wrong with the file, it is not of use. The
// file goes in any case: no later state of the database is to meet it.
func (s *store) loadFilter() *idFilter {
	f, err := s.readFilterFile()
	if removed := os.Remove(filterPath(s.path)); err != nil || removed != nil {
		return nil
	}
	return f
}

func (s *store) readFilterFile() (*idFilter, error) {
	want, err := s.filterState()
	if err != nil {
		return nil, err
	}
	file, err := os.Open(filterPath(s.path))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	return readFilter(file, info.Size(), &want, s.options.FilterBytes)
}

var errNotFilter = errors.New("it is not the filter of this database as it is")

// readFilter reads a file of so many bytes.
func readFilter(file io.Reader, size int64, want *filterHeader, maxBytes int) (*idFilter, error) {
	digest := sha256.New()
	in := io.TeeReader(bufio.NewReaderSize(file, filterBuffer), digest)
	var h filterHeader
	if err := binary.Read(in, binary.LittleEndian, &h); err != nil {
		return nil, err
	}
	same := h.Magic == want.Magic && h.Instance == want.Instance && h.Starts == want.Starts && h.Transaction == want.Transaction
	fits := h.Blocks > 0 && h.Blocks <= max(1, uint64(maxBytes)/blockBytes) && h.Limit < 1<<62 && h.Added < 1<<62
	if !same || !fits || size != int64(binary.Size(&h))+int64(h.Blocks)*blockBytes+sha256.Size {
		return nil, errNotFilter
	}
	f := &idFilter{key: h.Key, blocks: make([]filterBlock, h.Blocks), found: h.Found, limit: int64(h.Limit)}
	f.added.Store(int64(h.Added))
	var encoded [blockBytes]byte
	for i := range f.blocks {
		if _, err := io.ReadFull(in, encoded[:]); err != nil {
			return nil, err
		}
		for word := range f.blocks[i] {
			f.blocks[i][word] = binary.LittleEndian.Uint64(encoded[8*word:])
		}
	}
	computed := digest.Sum(nil)
	stored := make([]byte, sha256.Size)
	if _, err := io.ReadFull(in, stored); err != nil {
		return nil, err
	}
	if !bytes.Equal(stored, computed) {
		return nil, errNotFilter
	}
	f.complete.Store(true)
	return f, nil
}
