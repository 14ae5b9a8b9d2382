package aggregator

import (
	"slices"

	"github.com/twofold-dap/twofold/dap"
)

// fillingBatches are the leader-selected batches of a source that take reports,
// or may again: each is filled to the target, the task's minimum batch size, and no
// further. The scheduler's lock protects them.
type fillingBatches struct {
	target  uint64
	batches []*fillingBatch // oldest first
	// fixed: there is one batch, a collection job's own; no other is made.
	fixed bool
}

// fillingBatch is one of them. assigned counts the reports that are in it, or in
// its unfinished jobs.
type fillingBatch struct {
	id       dap.BatchID
	assigned uint64
	jobs     int
	// reloaded: assigned was read from the store while there were jobs. What one of them rejects may have been taken off already.
	reloaded bool
}

// room is how many reports the next job may have when so many wait; 0: it has to
// wait. A new batch is begun only if that many can fill it, or if the batches before it are
// certain to be full: what their unfinished jobs reject would leave them short for ever.
func (f *fillingBatches) room(waiting uint64) uint64 {
	unfinished := false
	for _, b := range f.batches {
		if b.assigned < f.target {
			return f.target - b.assigned
		}
		unfinished = unfinished || b.jobs > 0
	}
	if f.fixed || unfinished && waiting < f.target {
		return 0
	}
	return f.target
}

// take assigns n reports, no more than room, to the batch that is next, which may be a new one.
func (f *fillingBatches) take(n uint64) *fillingBatch {
	for _, b := range f.batches {
		if b.assigned < f.target {
			b.assigned += n
			b.jobs++
			return b
		}
	}
	b := &fillingBatch{id: dap.NewBatchID(), assigned: n, jobs: 1}
	f.batches = append(f.batches, b)
	return b
}

// give takes n reports out of a batch that will not be counted in it. jobEnded:
// one of its jobs is over. A full batch without jobs is forgotten; an empty one is used again. unsure: what is
// assigned must be read again.
func (f *fillingBatches) give(b *fillingBatch, n uint64, jobEnded bool) (unsure bool) {
	b.assigned -= min(n, b.assigned)
	if jobEnded {
		b.jobs--
	}
	if b.jobs == 0 && !f.fixed && b.assigned >= f.target {
		f.batches = slices.DeleteFunc(f.batches, func(other *fillingBatch) bool { return other == b })
	}
	return b.reloaded && n > 0 && !f.fixed
}

// load adds the open batches of the store that are not full, or that have jobs.
func (f *fillingBatches) load(open []OpenBatch) {
	for _, o := range open {
		if !o.Closed && (o.InJobs+o.Count < f.target || o.InJobs > 0) {
			f.batches = append(f.batches, &fillingBatch{id: o.BatchID, assigned: o.InJobs + o.Count})
		}
	}
}

// reload takes over what the store says of the batches. What is not open there takes no more
// reports, and is forgotten without jobs.
func (f *fillingBatches) reload(open []OpenBatch) {
	known := f.batches
	f.batches = nil
	f.load(open)
	for _, b := range known {
		b.reloaded = b.jobs > 0
		i := slices.IndexFunc(f.batches, func(other *fillingBatch) bool { return other.id == b.id })
		switch {
		case i >= 0:
			b.assigned = f.batches[i].assigned
			f.batches[i] = b // its jobs refer to it
		case b.jobs > 0:
			b.assigned = f.target
			f.batches = append(f.batches, b)
		}
	}
}

// resume finds the batch of an unfinished job that was found in the store. What is assigned must be read again, unless
// the batches are fixed: the job may have been in quarantine until now, and others have filled the batch up in its place.
func (f *fillingBatches) resume(id dap.BatchID) *fillingBatch {
	for _, b := range f.batches {
		if b.id == id {
			b.jobs++
			return b
		}
	}
	if f.fixed && len(f.batches) > 0 {
		return nil
	}
	b := &fillingBatch{id: id, jobs: 1, assigned: f.target}
	f.batches = append(f.batches, b)
	return b
}
