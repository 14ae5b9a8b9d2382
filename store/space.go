package store

import (
	"encoding/binary"
	"fmt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// The buckets of a task, within bucketData. Each is made when the task is added.
const (
	// Both roles.
	bucketIDs     = "ids"     // see reportIDs
	bucketRecent  = "recent"  // see recentIDs
	bucketBuckets = "buckets" // see bucketRecord
	bucketBatches = "batches" // see batchRecord; leader-selected only
	bucketTaken   = "taken"   // interval start: takenEntry; time-interval only
	bucketJobs    = "jobs"    // aggregation job ID: jobRecord or helperJobRecord
	bucketLedger  = "ledger"  // owner of a collected batch (see takenEntry): chargeRecord; with differential privacy only

	// The Leader's.
	bucketBodies      = "bodies"              // sequence: the encoded report
	bucketWaiting     = "waiting"             // sequence: see waitingEntry
	bucketTimes       = "times"               // time: see timeCounts
	bucketClosed      = "closed"              // interval start: its end; time-interval only
	bucketJobReports  = "job_reports"         // aggregation job ID: see jobMembers
	bucketActive      = "active_jobs"         // aggregation job ordinal: aggregation job ID
	bucketOpen        = "open_batches"        // batch ordinal: batch ID
	bucketCollections = "collections"         // collection job ID: collectionRecord
	bucketRequests    = "collection_requests" // request digest: collection job ID
	bucketUnfinished  = "unfinished"          // collection job ordinal: collection job ID

	// The Helper's.
	bucketPending  = "pending"   // ordinal: aggregation job ID
	bucketShares   = "shares"    // aggregate share ID: shareRecord
	bucketJobTimes = "job_times" // newest time of a job's reports, aggregation job ID: nothing
)

// Keys beside those buckets.
const (
	keyShape    = "shape"    // see space
	keyCounters = "counters" // leaderCounters or helperCounters
	keyLedger   = "spent"    // ledgerRecord
)

var (
	leaderBuckets = []string{bucketIDs, bucketRecent, bucketBuckets, bucketBatches, bucketTaken, bucketJobs, bucketLedger,
		bucketBodies, bucketWaiting, bucketTimes, bucketClosed, bucketJobReports, bucketActive, bucketOpen, bucketCollections, bucketRequests, bucketUnfinished}
	helperBuckets = []string{bucketIDs, bucketRecent, bucketBuckets, bucketBatches, bucketTaken, bucketJobs, bucketLedger, bucketPending, bucketShares, bucketJobTimes}
)

// space is all that a store holds of a task, but for the task itself, within a transaction.
type space struct {
	t    *txn
	root bucket
	task dap.TaskID
	mode dap.BatchMode
	// width is the width of a generation of report IDs, in time precisions.
	width uint64

	subs map[string]bucket
	ids  *reportIDs
}

const shapeLength = 1 + 8 // batch mode, width

// createSpace makes the buckets of a new task.
func (s *store) createSpace(t *txn, task *aggregator.Task) error {
	t.writes++
	root, err := t.top(bucketData).b.CreateBucket(task.ID[:])
	if err != nil {
		return err
	}
	names := leaderBuckets
	if s.role == dap.RoleHelper {
		names = helperBuckets
	}
	for _, name := range names {
		if _, err := root.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	shape := []byte{byte(task.Config.BatchMode)}
	shape = binary.BigEndian.AppendUint64(shape, generationWidth(task.Config.TimePrecision))
	return root.Put([]byte(keyShape), shape)
}

// space opens a task's buckets, or gives aggregator.ErrNotFound.
func (t *txn) space(task dap.TaskID) (*space, error) {
	if sp := t.spaces[string(task[:])]; sp != nil {
		return sp, nil
	}
	root := t.top(bucketData).b.Bucket(task[:])
	if root == nil {
		return nil, about(aggregator.ErrNotFound, "task %s", task)
	}
	sp := &space{t: t, root: newBucket(t, root, bucketData+"/"+task.String()), task: task, subs: make(map[string]bucket)}
	shape := root.Get([]byte(keyShape))
	if len(shape) != shapeLength {
		return nil, sp.root.damaged([]byte(keyShape), "it has %d bytes, not %d", len(shape), shapeLength)
	}
	sp.mode = dap.BatchMode(shape[0])
	sp.width = binary.BigEndian.Uint64(shape[1:])
	if !sp.mode.IsKnown() || sp.width == 0 {
		return nil, sp.root.damaged([]byte(keyShape), "batch mode %d, width %d", shape[0], sp.width)
	}
	t.spaces[string(task[:])] = sp
	return sp, nil
}

// sub opens a bucket of the task. A missing one panics like a damaged page does:
// createSpace has made them all.
func (sp *space) sub(name string) bucket {
	b, ok := sp.subs[name]
	if !ok {
		found := sp.root.b.Bucket([]byte(name))
		if found == nil {
			panic(fmt.Sprintf("bucket %s/%s is missing", sp.root.name, name))
		}
		b = newBucket(sp.t, found, sp.root.name+"/"+name)
		sp.subs[name] = b
	}
	return b
}

// eachSpace calls f for every task that has data, in the order of their IDs.
func (t *txn) eachSpace(f func(*space) error) error {
	return t.top(bucketData).b.ForEachBucket(func(key []byte) error {
		var task dap.TaskID
		if err := copyExactly("task ID", task[:], key); err != nil {
			return t.top(bucketData).damaged(key, "%v", err)
		}
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		return f(sp)
	})
}

// between calls f for the keys from first to last inclusive, until f says false.
func (b bucket) between(first, last []byte, f func(key, value []byte) (bool, error)) error {
	cursor := b.b.Cursor()
	for key, value := cursor.Seek(first); key != nil && string(key) <= string(last); key, value = cursor.Next() {
		more, err := f(key, value)
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// last returns the greatest key that is not above limit, and its value.
func (b bucket) last(limit []byte) (key, value []byte) {
	cursor := b.b.Cursor()
	key, value = cursor.Seek(limit)
	if key == nil {
		return cursor.Last()
	}
	if string(key) > string(limit) {
		return cursor.Prev()
	}
	return key, value
}

// each calls f for all keys.
func (b bucket) each(f func(key, value []byte) error) error { return b.b.ForEach(f) }
