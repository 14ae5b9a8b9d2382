package simulation

import (
	"context"
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
)

// takenByHelper is the version of a report that the Helper has, nil if none was accepted. The Leader may have accepted one
// and not have been able to say so, and have forgotten it below its floor before it was seen there.
func (c *checker) takenByHelper(r *report, standing *store.ReportStanding) *version {
	if r == nil {
		return nil
	}
	if v := r.taken(standing.Time); v != nil {
		return v
	}
	v := r.version(standing.Time)
	if v == nil || !v.maybe || v.at >= c.m.floor[0] {
		return nil
	}
	if r.accepted != nil {
		r.earlier = append(r.earlier, v)
	} else {
		r.accepted, r.gone = v, true
	}
	return v
}

// unseenAtHelper tells whether a bucket that is collected at the Leader may have come and gone at the Helper, below
// its floor, before it was seen there.
func (c *checker) unseenAtHelper(id aggregator.BucketID) bool {
	if !c.LeaderSelected {
		return id.Time < c.m.floor[1]
	}
	return c.m.last[0][id] < c.m.floor[1] && !slices.ContainsFunc(c.m.contents[1].Buckets, func(b store.BucketStanding) bool { return b.ID == id })
}

// heldBack tells whether a Helper's leader-selected batch that was forgotten may be there again: all that it has counted
// in it since is of jobs that an operator had put in quarantine. The Leader fills a batch up in place of what is in
// quarantine. So the Helper sees a full batch, of which nobody will need anything, and lets it go when it is old. A job that is
// tried again after that comes to a batch that the Helper does not know, as any new one. It need not have heard
// of the job before, so no record of its own could tell it otherwise, and the Leader cannot put the reports into another batch,
// as the Helper may have counted them in this one. Nothing is counted twice by it, and nothing is
// released: the sides' counts differ, as the Helper has forgotten the others. The others were lost before; that
// these are, too, is what the operator has risked who held them back for longer than the Helper keeps reports.
func (c *checker) heldBack(side int, id aggregator.BucketID) bool {
	if side != 1 || !c.LeaderSelected {
		return false
	}
	held := false
	for i := range c.m.contents[1].Reports {
		standing := &c.m.contents[1].Reports[i]
		if standing.State != store.ReportCounted || standing.Bucket != id {
			continue
		}
		if r := c.m.byID[standing.ID]; r == nil || !r.held {
			return false
		}
		held = true
	}
	return held
}

// initiated is what the request says with which an aggregation job was made at the Helper.
type initiated struct {
	newest  dap.Time // of its reports
	reports []dap.ReportID
	batch   dap.BatchID // leader-selected
}

// claimUnseen tells whether the result of a time-interval collection is that of the reports that were seen to be counted,
// count with the sum, and of others that were forgotten before they were seen; their buckets are claimed for it then.
func (c *checker) claimUnseen(j *collectionJob, count, sum uint64) bool {
	if c.LeaderSelected || c.vanished == 0 || count > j.count || !c.private() && sum > j.sum {
		return false
	}
	var unseen []*report
	for _, r := range c.m.reports {
		if r.gone && !r.ended && j.interval.Contains(r.accepted.at) && c.m.claimed[aggregator.BucketID{Time: r.accepted.at}] == nil {
			unseen = append(unseen, r)
		}
	}
	if len(unseen) > maxUnseen || c.private() {
		return len(unseen) >= int(j.count-count) // which of them it was would take too long to find out
	}
	found := among(unseen, int(j.count-count), j.sum-sum, uint64(max(1, j.param)))
	for _, r := range found {
		c.m.claimed[aggregator.BucketID{Time: r.accepted.at}] = j
	}
	return len(found) > 0
}

// maxUnseen is among how many reports those of a result are looked for.
const maxUnseen = 20

// among returns n of the reports whose measurements, each times the weight, add up to sum; nil if there are none.
func among(reports []*report, n int, sum, weight uint64) []*report {
	if n == 0 || n > len(reports) {
		return nil
	}
	first := reports[0]
	if value := first.accepted.value() * weight; value <= sum {
		if n == 1 && value == sum {
			return reports[:1:1]
		}
		if rest := among(reports[1:], n-1, sum-value, weight); rest != nil {
			return append(rest, first)
		}
	}
	return among(reports[1:], n, sum, weight)
}

// created notes the first request of a job.
func (n *network) created(location string, body []byte) {
	req, err := dap.DecodeAggregationJobInitReq(body)
	if err != nil {
		return
	}
	var job initiated
	for i := range req.VerifyInits {
		metadata := &req.VerifyInits[i].ReportShare.Metadata
		job.newest = max(job.newest, metadata.Time)
		job.reports = append(job.reports, metadata.ReportID)
	}
	if n.w.LeaderSelected {
		if job.batch, err = dap.LeaderSelectedBatchID(req.Extensions); err != nil {
			return
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.jobs[location] = job
}

// replaced tells whether a job may have been forgotten and made anew, so that it is another: all its
// reports are below the Helper's floor, and none of them is counted in a leader-selected batch that may yet be collected,
// unless the Helper was restored since, and counts it no more.
func (n *network) replaced(location string) bool {
	w := n.w
	job, known := n.jobs[location]
	w.model.mu.Lock()
	defer w.model.mu.Unlock()
	if !known || job.newest >= w.floorsNow()[1] {
		return false
	}
	if !w.LeaderSelected || job.newest < w.model.restored[1] {
		return true
	}
	contents, err := w.helper.store().Contents(context.Background(), w.id)
	if err != nil {
		return true // the disk fails
	}
	batch := aggregator.BucketID{BatchID: job.batch}
	open := slices.ContainsFunc(contents.Buckets, func(b store.BucketStanding) bool { return b.ID == batch }) &&
		!slices.ContainsFunc(contents.Collected, func(b aggregator.Batch) bool { return in(b, batch) })
	return !open || !slices.ContainsFunc(job.reports, func(id dap.ReportID) bool {
		r := w.model.byID[id]
		return r != nil && r.wasAtHelper
	})
}
