package store

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"math/bits"
	"sync/atomic"

	"github.com/twofold-dap/twofold/dap"
)

// idFilter tells of most report IDs that are new that they are, without looking into each generation. It is a
// Bloom filter in memory over all report IDs of a store: what it does not have is in no generation; what it seems to have
// must be looked up. So only speed rests on it.
//
// It never says wrongly that an ID is not there, because nothing is taken out of it, an ID is put in
// before the transaction that adds it is committed, and it is asked only when all IDs
// have been put in that were there when it was made, see fillFilter. What was rolled
// back or deleted stays in it, and costs a lookup if it comes again.
//
// Clients choose the IDs. So that none can choose those that need a lookup, the hash has a random key.
type idFilter struct {
	key    [filterKeySize]byte
	blocks []filterBlock
	// complete: it has all IDs of the store. found is how many there were.
	complete atomic.Bool
	found    uint64
	// added counts the IDs that were put in, by transactions that were rolled back as well; after limit of them
	// there should be another filter.
	added atomic.Int64
	limit int64
}

// filterBlock is what an ID is in: as two bits in each word of a single block, which lies in a line of the processor's cache.
type filterBlock [4]uint64

const (
	blockBytes    = 32
	filterKeySize = 16
	// filterBitsPerID with blocks like these give one wrong "perhaps" for some 200 IDs.
	filterBitsPerID = 12
	// leastFilterIDs is for how many IDs a filter is made at least: 1.5 MiB.
	leastFilterIDs = 1 << 20
)

// newIDFilter makes a filter for a store of so many IDs and half as many that are to come, of at most maxBytes. With
// fewer bits for each ID it says "perhaps" more often.
func newIDFilter(ids uint64, maxBytes int) *idFilter {
	limit := min(ids, 1<<40)/2*3 + leastFilterIDs
	size := min(uint64(maxBytes), limit*filterBitsPerID/8)
	f := &idFilter{blocks: make([]filterBlock, max(1, size/blockBytes)), limit: int64(limit)}
	rand.Read(f.key[:])
	return f
}

// place returns the block of an ID, and twelve bits of hash for each of its words. The hash is SHA-256 over the key and
// inputs of one length, which is as good as random to whoever has not got the key.
func (f *idFilter) place(task *dap.TaskID, id []byte) (*filterBlock, uint64) {
	var input [filterKeySize + len(dap.TaskID{}) + len(dap.ReportID{})]byte
	copy(input[:], f.key[:])
	copy(input[filterKeySize:], task[:])
	copy(input[filterKeySize+len(dap.TaskID{}):], id)
	digest := sha256.Sum256(input[:])
	hash := binary.LittleEndian.Uint64(digest[:])
	block, _ := bits.Mul64(hash, uint64(len(f.blocks)))
	return &f.blocks[block], hash * 0x9e3779b97f4a7c15 >> 16
}

// filterGroup is how many IDs are best put in together.
const filterGroup = 32

// add puts IDs in, at most filterGroup of them.
func (f *idFilter) add(task *dap.TaskID, ids ...[]byte) {
	var blocks [filterGroup]*filterBlock
	var hashes [filterGroup]uint64
	for i, id := range ids {
		blocks[i], hashes[i] = f.place(task, id)
		// An atomic change waits for its line of the cache, and whatever comes after it waits as well: not so for this.
		_ = atomic.LoadUint64(&blocks[i][0])
	}
	for i := range ids {
		for word := range blocks[i] {
			atomic.OrUint64(&blocks[i][word], filterBits(hashes[i], word))
		}
	}
	f.added.Add(int64(len(ids)))
}

// filterBits are the two bits of word i.
func filterBits(hash uint64, i int) uint64 {
	return 1<<(hash>>(12*i)&63) | 1<<(hash>>(12*i+6)&63)
}

// mayHave tells whether an ID must be looked up. If not, the task does not have it.
func (f *idFilter) mayHave(task *dap.TaskID, id []byte) bool {
	if !f.complete.Load() {
		return true
	}
	block, hash := f.place(task, id)
	for i := range block {
		if bits := filterBits(hash, i); atomic.LoadUint64(&block[i])&bits != bits {
			return false
		}
	}
	return true
}

// worn tells whether so many IDs were put in that there should be another filter: one for more, or one
// without those that were deleted.
func (f *idFilter) worn() bool { return f.complete.Load() && f.added.Load() > f.limit }
