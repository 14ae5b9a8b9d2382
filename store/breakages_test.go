package store

import (
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

var leaderBreakages = []breakage{
	{"body lost while waiting", false, func(b *breaker) {
		key, _ := b.sole(bucketWaiting)
		b.delete(bucketBodies, key)
	}, ruleBody, "has no body", false},
	{"body lost in a job", false, func(b *breaker) {
		_, list := b.sole(bucketJobReports)
		b.delete(bucketBodies, list[:8])
	}, ruleBody, "has no body", false},
	{"body of nobody", false, func(b *breaker) { b.put(bucketBodies, be64(999), []byte("body")) }, ruleBody, "report 999 belongs to no pending report", false},
	{"waiting record lost", false, func(b *breaker) {
		key, _ := b.sole(bucketWaiting)
		b.delete(bucketWaiting, key)
	}, ruleNotLost, "neither waits nor is in a job", true},
	{"waiting and in a job", false, func(b *breaker) {
		_, list := b.sole(bucketJobReports)
		b.put(bucketWaiting, list[:8], list[8:memberLength])
	}, ruleOneState, "waits as well", true},
	{"in two jobs", false, func(b *breaker) {
		key, value := b.sole(bucketJobs)
		_, list := b.sole(bucketJobReports)
		key[15]++
		b.put(bucketJobs, key, value)
		b.put(bucketJobReports, key, list)
	}, ruleOneState, "is in two jobs", true},
	{"counted while waiting", false, func(b *breaker) {
		at, _ := b.id(idOpen)
		b.ok(at.put(idEntry{state: idCounted, time: 10}))
	}, ruleOneState, "which is not open for it", true},
	{"waiting without an ID", false, func(b *breaker) {
		at, _ := b.id(idOpen)
		b.ok(at.delete())
	}, ruleOneState, "is not among the report IDs", false},
	{"job without a list", false, func(b *breaker) {
		key, _ := b.sole(bucketJobReports)
		b.delete(bucketJobReports, key)
	}, ruleJob, "has no list of reports", true},
	{"list without a job", false, func(b *breaker) {
		b.put(bucketJobReports, make([]byte, 16), nil)
	}, ruleJob, "which does not exist", false},
	{"states without reports", false, func(b *breaker) {
		key, _ := b.sole(bucketJobs)
		change(b, bucketJobs, key, func(r *jobRecord) { r.Step, r.States = 1, [][]byte{{1}, {2}, {3}} })
	}, ruleJob, "3 states for 1 reports", false},
	{"active job not listed", false, func(b *breaker) {
		key, _ := b.sole(bucketActive)
		b.delete(bucketActive, key)
	}, ruleIndex, "is not listed", false},
	{"listed job missing", false, func(b *breaker) {
		b.put(bucketActive, be64(99), make([]byte, 16))
	}, ruleIndex, "listed as active, but does not exist", false},
	{"listed job is another", false, func(b *breaker) {
		_, id := b.sole(bucketActive)
		b.put(bucketActive, be64(99), id)
	}, ruleIndex, "is not that job", false},
	{"bucket counts too much", false, func(b *breaker) {
		key, _ := b.sole(bucketBuckets)
		change(b, bucketBuckets, key, func(r *bucketRecord) { r.Count++ })
	}, ruleBucket, "counts 2 reports, 1 IDs", true},
	{"bucket with another checksum", false, func(b *breaker) {
		key, _ := b.sole(bucketBuckets)
		change(b, bucketBuckets, key, func(r *bucketRecord) { r.Checksum[3] ^= 1 })
	}, ruleBucket, "the checksum", false},
	{"bucket with other times", false, func(b *breaker) {
		key, _ := b.sole(bucketBuckets)
		change(b, bucketBuckets, key, func(r *bucketRecord) { r.Last++ })
	}, ruleBucket, "has times 10 to 11", false},
	{"bucket lost", false, func(b *breaker) {
		key, _ := b.sole(bucketBuckets)
		b.delete(bucketBuckets, key)
	}, ruleBucket, "there is no batch bucket 10", true},
	{"counted ID lost", false, func(b *breaker) {
		at, _ := b.id(idCounted)
		b.ok(at.delete())
	}, ruleBucket, "counts 1 reports, 0 IDs", false},
	{"counted in another bucket", false, func(b *breaker) {
		at, entry := b.id(idCounted)
		entry.time++
		b.ok(at.put(entry))
	}, ruleBucket, "0 IDs are counted", false},
	{"counted in a batch of the other mode", false, func(b *breaker) {
		at, entry := b.id(idCounted)
		entry.ordinal = 1
		b.ok(at.put(entry))
	}, ruleBucket, "counted in a leader-selected batch", false},
	{"counted twice", false, func(b *breaker) {
		at, entry := b.id(idCounted)
		later, err := b.sp.sub(bucketIDs).b.CreateBucket(be64(1 << 40))
		b.ok(err)
		b.ok(later.Put(at.id[:], entry.encode()))
	}, ruleOnce, "is there twice", true},
	{"counted in a batch that is not there", true, func(b *breaker) {
		at, entry := b.id(idCounted)
		entry.ordinal = 77
		b.ok(at.put(entry))
	}, ruleBucket, "a batch that does not exist", false},
	{"counter", false, func(b *breaker) {
		b.ok(b.sp.changeLeaderCounters(func(c *leaderCounters) { c.Waiting++ }))
	}, ruleCounters, "counter of waiting reports is 2, there are 1", false},
	{"counter of rejections", false, func(b *breaker) {
		b.ok(b.sp.changeLeaderCounters(func(c *leaderCounters) { c.reject(dap.ReportErrorTaskExpired, 1) }))
	}, ruleCounters, "rejected (task_expired)", false},
	{"counter of the collected", false, func(b *breaker) {
		b.ok(b.sp.changeLeaderCounters(func(c *leaderCounters) { c.Collected++ }))
	}, ruleCounters, "collected", false},
	{"pending of a time", false, func(b *breaker) {
		key, _ := b.sole(bucketTimes)
		b.ok(b.sp.sub(bucketTimes).putTimeCounts(key, timeCounts{7, 7}))
	}, ruleCounters, "recorded are 7 and 7", false},
	{"pending of a time lost", false, func(b *breaker) {
		key, _ := b.sole(bucketTimes)
		b.delete(bucketTimes, key)
	}, ruleCounters, "nothing is recorded", false},
	{"overlap", false, func(b *breaker) {
		b.ok(b.sp.take(dap.Interval{Start: 15, Duration: 10}, holdCollected, [16]byte{}))
	}, ruleOverlap, "[10, 20) and [15, 25) overlap", true},
	{"closed overlap", false, func(b *breaker) { b.put(bucketClosed, be64(15), be64(30)) }, ruleOverlap, "closed interval from 15", false},
	{"collected but open", false, func(b *breaker) {
		key, _ := b.sole(bucketClosed)
		b.delete(bucketClosed, key)
	}, rulePending, "[10, 20) is not closed", false},
	{"collected with pending reports", false, func(b *breaker) {
		b.ok(b.sp.take(dap.Interval{Start: 60, Duration: 10}, holdCollected, [16]byte{}))
		b.ok(b.sp.closeInterval(dap.Interval{Start: 60, Duration: 10}))
	}, rulePending, "1 reports wait and 1 are in jobs", false},
	{"reserved by nobody", false, func(b *breaker) {
		b.ok(b.sp.take(dap.Interval{Start: 600, Duration: 10}, holdReserved, [16]byte{9}))
	}, ruleHold, "which does not exist", false},
	{"reserved by another", false, func(b *breaker) {
		pending := [16]byte(b.collection(aggregator.CollectionPending))
		b.ok(b.sp.take(dap.Interval{Start: 600, Duration: 10}, holdReserved, pending))
	}, ruleHold, "is over or has another", false},
	{"reservation lost", false, func(b *breaker) {
		change(b, bucketCollections, b.collection(aggregator.CollectionPending), func(r *collectionRecord) {
			r.State = uint8(aggregator.CollectionClosed)
		})
	}, ruleHold, "its batch is not reserved by it", false},
	{"finished but not collected", false, func(b *breaker) {
		key, value := b.sole(bucketTaken)
		entry, err := decodeTaken(b.sp.sub(bucketTaken), key, value)
		b.ok(err)
		entry.hold = holdReserved
		b.put(bucketTaken, key, entry.encode())
	}, ruleCollected, "is finished, but its batch is not collected by it", true},
	{"finished without an answer", false, func(b *breaker) {
		key := b.collection(aggregator.CollectionFinished)
		change(b, bucketCollections, key, func(r *collectionRecord) { r.Response = nil })
	}, ruleCollected, "but its answer is not", false},
	{"request lost", false, func(b *breaker) {
		key, _ := b.sole(bucketRequests)
		b.delete(bucketRequests, key)
	}, ruleIndex, "cannot be found by its request", false},
	{"request of nobody", false, func(b *breaker) { b.put(bucketRequests, make([]byte, 32), make([]byte, 16)) }, ruleIndex, "a request leads to collection job", false},
	{"request of another", false, func(b *breaker) {
		_, id := b.sole(bucketRequests)
		b.put(bucketRequests, make([]byte, 32), id)
	}, ruleIndex, "which has another", false},
	{"unfinished not listed", false, func(b *breaker) {
		key, _ := b.sole(bucketUnfinished)
		b.delete(bucketUnfinished, key)
	}, ruleIndex, "listed as unfinished: false", false},
	{"unfinished missing", false, func(b *breaker) { b.put(bucketUnfinished, be64(99), make([]byte, 16)) }, ruleIndex, "listed as unfinished, but does not exist", false},
	{"unfinished is another", false, func(b *breaker) {
		_, id := b.sole(bucketUnfinished)
		b.put(bucketUnfinished, be64(99), id)
	}, ruleIndex, "under another's number", false},
	{"batch with too many in jobs", true, func(b *breaker) {
		key := b.batch()
		change(b, bucketBatches, key, func(r *batchRecord) { r.InJobs++ })
	}, ruleBatch, "says that 2 of its reports are in jobs, 1 are", false},
	{"two batches of one ordinal", true, func(b *breaker) {
		key := b.batch()
		var record batchRecord
		b.ok(decodeRecord(b.sp.sub(bucketBatches).get(key), &record))
		key[31]++
		record.InJobs = 0
		b.put(bucketBatches, key, encodeRecord(record))
	}, ruleBatch, "have one ordinal", true},
	{"batch of jobs lost", true, func(b *breaker) { b.delete(bucketBatches, b.batch()) }, ruleBatch, "does not exist, but 1 of its reports are in jobs", true},
	{"batch in the other mode", false, func(b *breaker) {
		b.ok(b.sp.putBatch(dap.BatchID{1}, &batchRecord{Ordinal: 1}))
	}, ruleBatch, "in a task of another batch mode", true},
	{"open batch not listed", true, func(b *breaker) {
		key, _ := b.sole(bucketOpen)
		b.delete(bucketOpen, key)
	}, ruleIndex, "listed as open: false", false},
	{"listed batch missing", true, func(b *breaker) { b.put(bucketOpen, be64(99), make([]byte, 32)) }, ruleIndex, "listed as open, but does not exist", false},
	{"batch reserved by nobody", true, func(b *breaker) {
		id := dap.BatchID(b.batch())
		r, err := b.sp.batch(id)
		b.ok(err)
		b.ok(b.sp.setHold(id, r, holdReserved, [16]byte{9}))
	}, ruleHold, "which does not exist", false},
	{"batch collected but open", true, func(b *breaker) {
		id := dap.BatchID(b.batch())
		r, err := b.sp.batch(id)
		b.ok(err)
		b.ok(b.sp.setHold(id, r, holdCollected, [16]byte{9}))
	}, rulePending, "closed: false, with 1 reports in jobs", true},
	{"finished without a batch", true, func(b *breaker) {
		key := b.collection(aggregator.CollectionFinished)
		change(b, bucketCollections, key, func(r *collectionRecord) { clear(r.BatchID) })
	}, ruleCollected, "but has no batch", false},
}

var bothBreakages = []breakage{
	{"task lost", false, func(b *breaker) { b.ok(b.sp.t.top(bucketTasks).delete(b.sp.task[:])) }, ruleTask, "but no task", false},
	{"data lost", false, func(b *breaker) { b.ok(b.sp.t.top(bucketData).b.DeleteBucket(b.sp.task[:])) }, ruleTask, "has no data", false},
	{"another shape", false, func(b *breaker) {
		shape := slices.Clone(b.sp.root.get([]byte(keyShape)))
		shape[8]++
		b.ok(b.sp.root.put([]byte(keyShape), shape))
	}, ruleTask, "the shape of the data", false},
	{"place of another task", false, func(b *breaker) {
		tasks := b.sp.t.top(bucketTasks)
		var record taskRecord
		b.ok(decodeRecord(tasks.get(b.sp.task[:]), &record))
		record.Ordinal = 3 - record.Ordinal
		b.ok(tasks.put(b.sp.task[:], encodeRecord(record)))
	}, ruleTask, "has the place of another", false},
	{"bucket lost", false, func(b *breaker) { b.ok(b.sp.root.b.DeleteBucket([]byte(bucketJobs))) }, ruleDecodes, "is missing", true},
	{"sealed value moved", false, func(b *breaker) {
		tasks := b.sp.t.top(bucketTasks)
		var record taskRecord
		b.ok(decodeRecord(tasks.get(b.sp.task[:]), &record))
		record.HelperToken = record.VerifyKey
		b.ok(tasks.put(b.sp.task[:], encodeRecord(record)))
	}, ruleDecodes, "does not open", false},
}

var helperBreakages = []breakage{
	{"bucket counts too little", false, func(b *breaker) {
		key, _ := b.sole(bucketBuckets)
		change(b, bucketBuckets, key, func(r *bucketRecord) { r.Count++ })
	}, ruleBucket, "counts 2 reports, 1 IDs", true},
	{"remembered but not counted", false, func(b *breaker) {
		at, _ := b.id(idCounted)
		b.ok(at.put(idEntry{state: idRejected, time: 10, error: 1}))
	}, ruleOneState, "is remembered, but not counted", true},
	{"counter", false, func(b *breaker) {
		b.ok(b.sp.changeHelperCounters(func(c *helperCounters) { c.Aggregated++ }))
	}, ruleCounters, "aggregated", false},
	{"counter of the collected", false, func(b *breaker) {
		b.ok(b.sp.changeHelperCounters(func(c *helperCounters) { c.Collected-- }))
	}, ruleCounters, "collected", false},
	{"overlap", false, func(b *breaker) {
		b.ok(b.sp.take(dap.Interval{Start: 15, Duration: 10}, holdCollected, [16]byte{}))
	}, ruleOverlap, "[10, 20) and [15, 25) overlap", true},
	{"reserved", false, func(b *breaker) {
		b.ok(b.sp.take(dap.Interval{Start: 500, Duration: 10}, holdReserved, [16]byte{}))
	}, ruleHold, "held, but not collected", false},
	{"share without its batch", false, func(b *breaker) {
		key, _ := b.sole(bucketTaken)
		b.delete(bucketTaken, key)
	}, ruleCollected, "is not collected by it", true},
	{"share of another batch", false, func(b *breaker) {
		key, _ := b.sole(bucketShares)
		change(b, bucketShares, key, func(r *shareRecord) { r.Count++ })
	}, ruleBucket, "has changed since it was collected", false},
	{"job not listed by time", false, func(b *breaker) {
		key, _ := b.sp.sub(bucketJobTimes).b.Cursor().First()
		b.delete(bucketJobTimes, slices.Clone(key))
	}, ruleIndex, "is not listed by the time of its newest report", false},
	{"job listed by time missing", false, func(b *breaker) {
		b.put(bucketJobTimes, append(be64(99), make([]byte, 16)...), []byte{})
	}, ruleIndex, "listed by its time, but does not exist", false},
	{"job listed under another's time", false, func(b *breaker) {
		key, _ := b.sp.sub(bucketJobTimes).b.Cursor().First()
		b.put(bucketJobTimes, append(be64(99), key[8:]...), []byte{})
	}, ruleIndex, "listed under the time of another", false},
	{"pending not listed", false, func(b *breaker) {
		key, _ := b.sole(bucketPending)
		b.delete(bucketPending, key)
	}, ruleIndex, "listed as pending: false", false},
	{"listed job missing", false, func(b *breaker) { b.put(bucketPending, be64(99), make([]byte, 16)) }, ruleIndex, "listed as pending, but does not exist", false},
	{"listed job is another", false, func(b *breaker) {
		_, id := b.sole(bucketPending)
		b.put(bucketPending, be64(99), id)
	}, ruleIndex, "under another's number", false},
	{"batch closed", true, func(b *breaker) {
		change(b, bucketBatches, b.batch(), func(r *batchRecord) { r.Closed = true })
	}, ruleBatch, "closed: true", false},
	{"buckets of several parameters", false, func(b *breaker) {
		b.put(bucketBuckets, be64(11), encodeRecord(bucketRecord{Share: make([]byte, 8), Count: 1, Checksum: make([]byte, 32), First: 11, Last: 11, AggParam: []byte{1}}))
	}, ruleBucket, "were aggregated with different parameters", true},
}
