package simulation

import (
	"slices"
	"testing/synctest"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// endLimit is how long everything may take to come to its end once the faults have stopped.
const endLimit = 4 * time.Hour

// ending is the time after the operations: without faults, everything comes to its end.
type ending struct {
	*world
	next     int              // number of the next report that fills a batch up
	attempts map[dap.Time]int // collections of a batch bucket that were tried
	idle     map[*collectionJob]int
	steps    int
}

// finish ends the faults, and takes every report and every collection to its end.
func (w *world) finish() {
	w.calm()
	e := &ending{world: w, next: 1 << 20, attempts: make(map[dap.Time]int), idle: make(map[*collectionJob]int)}
	begun := time.Now()
	for pause := time.Second; ; pause = min(pause+pause/4, 30*time.Second) {
		synctest.Wait()
		checked := w.check(false)
		if _, found := w.firstViolation(); found {
			return
		}
		if checked && e.step() {
			break
		}
		if time.Since(begun) > endLimit {
			e.stuck()
			return
		}
		time.Sleep(pause)
	}
	if !w.check(true) {
		w.violated(invariantRuns, "a store does not answer though its disk is well")
	}
}

// calm ends all faults: clocks agree, crashed parties start, what is on its way arrives.
func (w *world) calm() {
	w.network.calm()
	w.keeps.Store(true)
	for i, s := range []side{leader, helper} {
		w.diskOf(s).calm()
		if w.diskOf(s).dead.Load() {
			w.restart(s, true)
		} else if w.keepsOf(i) > 0 || w.KeepsAnswers > 0 {
			w.restart(s, false) // with what has come above the floor by now, nothing more goes
		}
		w.setClock(s, 0)
	}
	w.network.copies.Wait()
	w.awaitFloors()
}

// step polls the collections, begins new ones and fills batches up. It tells whether all is done.
func (e *ending) step() (done bool) {
	if e.steps++; e.steps%patience == 1 {
		e.retryAll()
	}
	e.model.mu.Lock()
	jobs := slices.Clone(e.model.all)
	e.model.mu.Unlock()
	done = true
	for _, j := range jobs {
		switch {
		case j.uncertain:
			e.delete(j) // it may be there yet, and have its batch: a Collector repeats what has failed with a server's error
		case j.over():
		case !j.known:
			e.create(j)
			done = done && !j.known
		default:
			e.poll(j)
			done = false
			if !j.over() {
				e.help(j)
			}
		}
	}
	if e.LeaderSelected {
		return e.stepSelected() && done
	}
	return e.stepIntervals() && done
}

// settled tells whether a batch bucket is collected, or cannot be: it is spent, or the privacy budget is, or it is
// leader-selected and the Helper has let it go.
func (e *ending) settled(id aggregator.BucketID) bool {
	return e.model.collectedBy(0, id) || e.model.spent(id) || e.model.unaffordable(id) || e.LeaderSelected && e.model.gone[1][id]
}

// unfinished tells of a report at the Leader that it is not rejected, nor in a batch that is settled.
func (e *ending) unfinished(s *store.ReportStanding) bool {
	if s.State == store.ReportOpen {
		return true
	}
	return s.State == store.ReportCounted && !e.model.below(s.Time) && !e.settled(s.Bucket)
}

// weigh counts the reports within f that may be collected yet, and those among them that are in jobs.
func (e *ending) weigh(f func(*store.ReportStanding) bool) (all, inJobs uint64) {
	active := make(map[uint64]bool)
	for i := range e.model.contents[0].Jobs {
		for _, sequence := range e.model.contents[0].Jobs[i].Reports {
			active[sequence] = true
		}
	}
	for i := range e.model.contents[0].Reports {
		s := &e.model.contents[0].Reports[i]
		if !e.unfinished(s) || !f(s) {
			continue
		}
		all++
		if s.State == store.ReportOpen && active[s.Sequence] {
			inJobs++
		}
	}
	return all, inJobs
}

// open tells whether a report with this time would be accepted.
func (e *ending) open(t dap.Time) bool {
	return !e.model.below(t) && e.refusal(&version{variant: variant{at: t}}) == 0 &&
		!slices.ContainsFunc(e.model.closed, func(i dap.Interval) bool { return i.Contains(t) })
}

// top uploads n honest reports of a time.
func (e *ending) top(t dap.Time, n int) {
	e.upload(operation{Kind: opUpload, Number: e.next, Count: n, Offset: int(int64(t) - int64(e.now()))})
	e.next += n
}

// missing is how many reports more would fill the leader-selected batches that are begun.
func (e *ending) missing() int {
	waiting, missing := len(e.model.contents[0].Waiting), 0
	for i := range e.model.contents[0].Buckets {
		b := &e.model.contents[0].Buckets[i]
		if !e.settled(b.ID) && b.Count < uint64(e.MinBatch) {
			missing += e.MinBatch - int(b.Count)
		}
	}
	if missing == 0 {
		return (e.MinBatch - waiting%e.MinBatch) % e.MinBatch
	}
	return max(0, missing-waiting)
}

// patience is how many steps a collection gets before something is done for it.
const patience = 4

// help gives a collection that waits for reports what it needs, or deletes it if
// there can be no more reports.
func (e *ending) help(j *collectionJob) {
	if e.idle[j]++; e.idle[j]%patience != 0 {
		return
	}
	if e.LeaderSelected {
		if e.paramSelected(j.param) != j.param {
			e.delete(j) // what there is was aggregated with another parameter
			return
		}
		if t, missing := e.now(), e.missing(); missing > 0 && e.open(t) {
			e.top(t, missing)
		} else if e.shortSelected() || !e.eager() && !e.open(t) {
			e.delete(j) // its batch cannot be filled up, though another one may be full
		}
		return
	}
	last := min(j.interval.Start+dap.Time(j.interval.Duration)-1, e.now())
	for t := last; t >= j.interval.Start && t <= last; t-- {
		if e.open(t) {
			e.top(t, e.MinBatch)
			return
		}
	}
	all, inJobs := e.weigh(func(s *store.ReportStanding) bool { return j.interval.Contains(s.Time) })
	if inJobs == 0 && all < uint64(e.MinBatch) && j.interval.Start <= e.now() || j.interval.Start > e.now()+1 {
		e.delete(j)
	}
}

// stepIntervals collects every batch bucket that can be.
func (e *ending) stepIntervals() (done bool) {
	done = true
	times := make(map[dap.Time]bool)
	for i := range e.model.contents[0].Reports {
		if s := &e.model.contents[0].Reports[i]; e.unfinished(s) {
			times[s.Time] = true
		}
	}
	for t := range times {
		if !e.collectBucket(t) {
			done = false
		}
	}
	return done
}

// collectBucket sees to it that a batch bucket with unfinished reports is collected. It
// tells whether the bucket is to stay as it is, because there are too few reports and can be no more.
func (e *ending) collectBucket(t dap.Time) (short bool) {
	covered := func(j *collectionJob) bool { return !j.over() && j.known && j.interval.Contains(t) }
	if slices.ContainsFunc(e.model.all, covered) {
		return false
	}
	intervals := e.intervalsOf(t)
	interval := intervals[e.attempts[t]%len(intervals)]
	e.attempts[t]++
	all, inJobs := e.weigh(func(s *store.ReportStanding) bool { return interval.Contains(s.Time) })
	if inJobs == 0 && all < uint64(e.MinBatch) && !e.open(t) {
		return e.eager() == (e.waitingAt(t) == 0) || e.waitingAt(t) == 0
	}
	// A job that has failed answers its request until it is deleted.
	for _, j := range slices.Clone(e.model.all) {
		if j.over() && !j.deleted && j.interval == interval {
			e.delete(j)
		}
	}
	e.create(e.newJob(-1, interval, e.paramAt(t)))
	return false
}

// intervalsOf are the intervals with which to try to collect a bucket: what is closed around it, the
// bucket alone, and then those of the Collector's deleted jobs. The Helper may have given its share for one of these, whose
// batch can be collected no other way; what is closed may be more by now, since another job has asked for more.
func (e *ending) intervalsOf(t dap.Time) []dap.Interval {
	intervals := []dap.Interval{e.closedAround(t), {Start: t, Duration: 1}}
	for _, j := range e.model.all {
		if j.number >= 0 && j.deleted && j.interval.Contains(t) && !slices.Contains(intervals, j.interval) {
			intervals = append(intervals, j.interval)
		}
	}
	return intervals
}

func (e *ending) eager() bool { return !e.AggParam }

// waitingAt is how many reports of a time wait.
func (e *ending) waitingAt(t dap.Time) (n int) {
	for i := range e.model.contents[0].Reports {
		if s := &e.model.contents[0].Reports[i]; s.State == store.ReportOpen && s.Time == t {
			n++
		}
	}
	return n
}

// closedAround is the interval around a closed bucket that is closed and not
// collected: its collection was deleted, and it can only be collected whole. Else it is the bucket.
func (e *ending) closedAround(t dap.Time) dap.Interval {
	free := func(t dap.Time) bool {
		return !e.model.below(t) && slices.ContainsFunc(e.model.closed, func(i dap.Interval) bool { return i.Contains(t) }) &&
			!e.settled(aggregator.BucketID{Time: t})
	}
	first, last := t, t
	for free(t) && free(first-1) {
		first--
	}
	for free(t) && free(last+1) {
		last++
	}
	return dap.Interval{Start: first, Duration: dap.Duration(last - first + 1)}
}

// paramAt is the aggregation parameter with which a bucket was aggregated, or the first.
func (e *ending) paramAt(t dap.Time) int {
	for i := range e.model.contents[0].Buckets {
		if b := &e.model.contents[0].Buckets[i]; b.ID.Time == t {
			return int(e.weightOf(b.AggParam))
		}
	}
	return 1
}

// stepSelected asks for the next leader-selected batch while there may be one.
func (e *ending) stepSelected() (done bool) {
	all, _ := e.weigh(func(*store.ReportStanding) bool { return true })
	if all == 0 {
		return true
	}
	if slices.ContainsFunc(e.model.all, func(j *collectionJob) bool { return !j.over() && j.known }) {
		return false
	}
	if !e.open(e.now()) && e.shortSelected() {
		return true
	}
	for _, j := range slices.Clone(e.model.all) {
		if j.over() && !j.deleted {
			e.delete(j)
		}
	}
	e.create(e.newJob(-1, dap.Interval{}, e.paramSelected(1)))
	return false
}

// paramSelected is the aggregation parameter of a batch that is not collected, of one that is
// full if there is such a one, or, if there is none at all, otherwise.
func (e *ending) paramSelected(otherwise int) int {
	for i := range e.model.contents[0].Buckets {
		b := &e.model.contents[0].Buckets[i]
		if e.settled(b.ID) {
			continue
		}
		otherwise = int(e.weightOf(b.AggParam))
		if b.Count >= uint64(e.MinBatch) {
			break
		}
	}
	return otherwise
}

// shortSelected tells whether no leader-selected batch has enough reports, and
// too few wait to fill one.
func (e *ending) shortSelected() bool {
	open, inJobs := e.weigh(func(s *store.ReportStanding) bool { return s.State == store.ReportOpen })
	if inJobs > 0 || e.eager() && open > 0 || open >= uint64(e.MinBatch) {
		return false
	}
	for i := range e.model.contents[0].Buckets {
		b := &e.model.contents[0].Buckets[i]
		if !e.settled(b.ID) && b.Count >= uint64(e.MinBatch) {
			return false
		}
	}
	return true
}

// stuck names what has not come to its end.
func (e *ending) stuck() {
	for _, j := range e.model.all {
		if !j.over() && j.known {
			e.violated(invariantCollectEnds, "collection job %s of %v has no answer after %s", j.id, j.interval, endLimit)
		}
	}
	for i := range e.model.contents[0].Reports {
		s := &e.model.contents[0].Reports[i]
		if r := e.model.byID[s.ID]; e.unfinished(s) && r != nil {
			e.violated(invariantReportEnds, "report %d (%+v) is %+v after %s", r.number, r.accepted.plan, *s, endLimit)
			return
		}
	}
	e.violated(invariantCollectEnds, "nothing ends after %s", endLimit)
}
