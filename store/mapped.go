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

// shrink releases as many parts as it takes. It is for the committer, with a transaction of its own.
func (m *mappedFile) shrink(tx *bolt.Tx, most int64) {
	if tx.Size() <= most {
		return // its pages cannot take so much
	}
	for i := 0; i < mappedParts && mappedMemory() > most; i++ {
		m.releasePart(tx)
	}
}

func (m *mappedFile) releasePart(tx *bolt.Tx) {
	page := int64(tx.DB().Info().PageSize)
	length := (tx.Size()/page/mappedParts + 1) * page
	if start := m.next * length; start < tx.Size() {
		releaseRange(tx, start, min(start+length, tx.Size()))
	}
	m.next = (m.next + 1) % mappedParts
}
