package store

import bolt "go.etcd.io/bbolt"

// mappedParts is in how many parts the file's pages are released, one after the other. What is
// touched again soon, as a report is that comes, goes into a job and is counted, mostly is in another part than the
// one whose turn it is; to map a page anew costs much more than to read it.
const mappedParts = 16

// mappedFile keeps the memory that the pages of the mapped file take below Options.MappedBytes. Report IDs are looked up at
// random places, and with each page that is touched the kernel maps those around it: much more than what is read.
type mappedFile struct {
	next int64 // the part that is released next
}

// shrink releases as many parts as it takes. It is for the committer, after a transaction.
func (m *mappedFile) shrink(s *store, size int64) error {
	most := s.options.MappedBytes
	// A small file need not be asked about: its pages cannot take so much.
	if s.db == nil || size <= most {
		return nil
	}
	for range mappedParts {
		if mappedMemory() <= most {
			return nil
		}
		err := guard(func() error { return s.db.View(m.releasePart) })
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *mappedFile) releasePart(tx *bolt.Tx) error {
	page := int64(tx.DB().Info().PageSize)
	length := (tx.Size()/page/mappedParts + 1) * page
	if start := m.next * length; start < tx.Size() {
		releaseRange(tx, start, min(start+length, tx.Size()))
	}
	m.next = (m.next + 1) % mappedParts
	return nil
}
