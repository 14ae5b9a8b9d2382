package resultstore

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
)

// The buckets of a task.
const (
	bucketCollections = "collections" // number: collectionRecord; its sequence is the newest number
	bucketOpen        = "open"        // number of each collection of which something is left to do: nothing
	bucketTaken       = "taken"       // start of an interval that a collection holds: takenEntry
	bucketJobs        = "jobs"        // SHA-256 of the URL of a collection job that has given a result: the collection's number

	keyResults = "results" // resultCount
	keyLatest  = "latest"  // the number of the newest collection with a result
)

// takenEntry is an interval that a collection holds. Its key is the start, in nanoseconds since the Epoch.
//
//	struct {
//	  uint64 end;
//	  uint64 collection;
//	} takenEntry;
const takenLength = 16

// space is the part of the file that belongs to one task.
type space struct {
	task                           dap.TaskID
	root                           *bolt.Bucket
	collections, open, taken, jobs *bolt.Bucket
}

func createSpace(tx *bolt.Tx, id dap.TaskID) error {
	root, err := tx.Bucket([]byte(bucketData)).CreateBucket(id[:])
	if err != nil {
		return err
	}
	for _, name := range []string{bucketCollections, bucketOpen, bucketTaken, bucketJobs} {
		if _, err := root.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return nil
}

func openSpace(tx *bolt.Tx, id dap.TaskID) (*space, error) {
	root := tx.Bucket([]byte(bucketData)).Bucket(id[:])
	if root == nil {
		return nil, service.ErrNotFound
	}
	sp := &space{
		task: id, root: root, collections: root.Bucket([]byte(bucketCollections)), open: root.Bucket([]byte(bucketOpen)),
		taken: root.Bucket([]byte(bucketTaken)), jobs: root.Bucket([]byte(bucketJobs)),
	}
	if sp.collections == nil || sp.open == nil || sp.taken == nil || sp.jobs == nil {
		return nil, damaged(bucketData, id[:], "lacks a bucket")
	}
	return sp, nil
}

// get returns a collection, or service.ErrNotFound.
func (sp *space) get(number uint64) (service.Collection, error) {
	key := be64(number)
	encoded := sp.collections.Get(key)
	if encoded == nil {
		return service.Collection{}, service.ErrNotFound
	}
	return sp.decode(key, encoded)
}

func (sp *space) decode(key, encoded []byte) (c service.Collection, err error) {
	var record collectionRecord
	if len(key) != 8 {
		return c, damaged(bucketCollections, key, "has a key of another length")
	}
	if err := decodeRecord(bucketCollections, key, encoded, &record); err != nil {
		return c, err
	}
	return record.collection(sp.task, binary.BigEndian.Uint64(key)), nil
}

// put stores a collection, and keeps the indices right.
func (sp *space) put(c *service.Collection) error {
	key := be64(c.Number)
	if err := sp.collections.Put(key, encodeRecord(newCollectionRecord(c))); err != nil {
		return err
	}
	if err := sp.index(c); err != nil {
		return err
	}
	if c.Open() {
		return sp.open.Put(key, []byte{})
	}
	return sp.open.Delete(key)
}

// index stores or frees the interval of a collection.
func (sp *space) index(c *service.Collection) error {
	if c.Start.IsZero() {
		return nil
	}
	key := be64(uint64(stamp(c.Start)))
	if c.Holds() {
		return sp.taken.Put(key, append(be64(uint64(stamp(c.End))), be64(c.Number)...))
	}
	if entry := sp.taken.Get(key); len(entry) == takenLength && binary.BigEndian.Uint64(entry[8:]) == c.Number {
		return sp.taken.Delete(key)
	}
	return nil
}

// takenSpan decodes an entry of bucketTaken.
func takenSpan(key, entry []byte) (span service.Span, number uint64, err error) {
	if len(key) != 8 || len(entry) != takenLength {
		return span, 0, damaged(bucketTaken, key, "has another length")
	}
	start, end := int64(binary.BigEndian.Uint64(key)), int64(binary.BigEndian.Uint64(entry))
	return service.Span{Start: unstamp(start), End: unstamp(end)}, binary.BigEndian.Uint64(entry[8:]), nil
}

// overlapping returns the collection whose interval overlaps span, as an error, or nil. The intervals are disjoint, so
// that only the last one that begins before the end of span can overlap it.
func (sp *space) overlapping(span service.Span) error {
	cursor := sp.taken.Cursor()
	limit := be64(uint64(stamp(span.End)))
	key, entry := cursor.Seek(limit)
	if key == nil {
		key, entry = cursor.Last()
	}
	for key != nil && bytes.Compare(key, limit) >= 0 {
		key, entry = cursor.Prev()
	}
	if key == nil {
		return nil
	}
	held, number, err := takenSpan(key, entry)
	if err != nil {
		return err
	}
	if held.Overlaps(span) {
		return &service.OverlapError{Number: number, Start: held.Start, End: held.End}
	}
	return nil
}

func jobKey(url string) []byte {
	digest := sha256.Sum256([]byte(url))
	return digest[:]
}

// number reads a number under a key of the task's own; 0 if there is none.
func (sp *space) number(key string) (uint64, error) {
	value := sp.root.Get([]byte(key))
	if value == nil {
		return 0, nil
	}
	if len(value) != 8 {
		return 0, damaged(bucketData, []byte(key), "has another length")
	}
	return binary.BigEndian.Uint64(value), nil
}
