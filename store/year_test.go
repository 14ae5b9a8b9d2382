package store_test

import (
	"encoding/binary"
	"flag"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

var yearReports = flag.Int("year.reports", 24, "reports that TestYear uploads on each day, to each of two tasks")

// TestYear lets a Leader and a Helper live through a year of daily batches, in both batch modes, with a
// retention of 30 days, and looks at the files at the end of each month: they stop growing, and an
// upload writes no more pages in the last month than in the first.
func TestYear(t *testing.T) {
	y := newYear(t, *yearReports)
	var months []month
	for day := range 365 {
		y.day(day)
		if (day+1)%30 == 0 {
			months = append(months, y.month())
		}
	}
	for i, m := range months {
		t.Logf("month %2d: Leader %7d KiB used of %7d, Helper %7d KiB of %7d; %6.0f uploads/s, %.2f pages written for each",
			i+1, m.leaderUsed>>10, m.leaderSize>>10, m.helperUsed>>10, m.helperSize>>10, m.uploads, m.pages)
	}
	second, last := months[2], months[11] // the first that is a whole retention after the first floor
	if last.leaderUsed > second.leaderUsed*5/4 || last.helperUsed > second.helperUsed*5/4 {
		t.Error("the pages in use grow with the months")
	}
	if last.leaderSize > second.leaderSize*5/4 || last.helperSize > second.helperSize*5/4 {
		t.Error("the files grow with the months")
	}
	if last.pages > months[1].pages*1.2 {
		t.Errorf("an upload writes %.2f pages in the last month, %.2f in the second", last.pages, months[1].pages)
	}
	noViolations(t, y.leader)
	noViolations(t, y.helper)
	y.exact()
}

// month is what the files are like at its end.
type month struct {
	leaderUsed, leaderSize, helperUsed, helperSize int64
	uploads, pages                                 float64
}

// year is the life of the two stores.
type year struct {
	*testing.T
	reports int
	leader  *store.Leader
	helper  *store.Helper
	tasks   [2]dap.TaskID // time-interval, leader-selected
	number  uint64
	seen    [2]uint64 // reports of each task
	mine    int       // those of this month
	spent   time.Duration
	written int64
}

const yearStart = 1_750_000_000 / 86400 * 86400 // a midnight

func newYear(t *testing.T, reports int) *year {
	y := &year{T: t, reports: reports}
	dir := t.TempDir()
	var err error
	options := store.WithoutSync(store.Options{Create: true})
	if y.leader, err = store.OpenLeader(filepath.Join(dir, "leader.db"), testKey, options); err != nil {
		t.Fatal(err)
	}
	if y.helper, err = store.OpenHelper(filepath.Join(dir, "helper.db"), testKey, options); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { y.leader.Close(); y.helper.Close() })
	for i, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		l, h := storetest.NewTask(dap.RoleLeader, fmt.Sprint("task", i), mode), storetest.NewTask(dap.RoleHelper, fmt.Sprint("task", i), mode)
		y.ok(y.leader.PutTask(t.Context(), l))
		y.ok(y.helper.PutTask(t.Context(), h))
		y.tasks[i] = l.ID
	}
	return y
}

func (y *year) ok(err error) {
	y.Helper()
	if err != nil {
		y.Fatal(err)
	}
}

// day is a day of both tasks, after which what is too old goes.
func (y *year) day(day int) {
	midnight := dap.Time(yearStart/3600 + 24*day)
	now := time.Unix(yearStart+86400*int64(day+1), 0)
	for task := range y.tasks {
		batch := aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: dap.Interval{Start: midnight, Duration: 24}}
		if task == 1 {
			batch = aggregator.Batch{Mode: dap.BatchModeLeaderSelected}
			binary.BigEndian.PutUint64(batch.BatchID[:], uint64(day+1))
		}
		y.upload(task, midnight)
		y.aggregate(task, day, batch.BatchID, now)
		if day%10 != 9 { // every tenth batch is forgotten by the analyst
			y.collect(task, day, batch, now)
		}
		y.retain(y.leader, task, now)
		y.retain(y.helper, task, now)
	}
}

func (y *year) upload(task int, midnight dap.Time) {
	body := make([]byte, 1000)
	for done := 0; done < y.reports; {
		var reports []aggregator.UploadReport
		for ; done < y.reports && len(reports) < 8; done++ {
			y.number++
			r := aggregator.UploadReport{Time: midnight + dap.Time(done*24/y.reports), Body: body}
			// IDs are random.
			binary.BigEndian.PutUint64(r.ID[:], y.number*0x9e3779b97f4a7c15)
			reports = append(reports, r)
		}
		written, start := store.PagesWritten(y.leader), time.Now()
		outcomes, err := y.leader.Upload(y.Context(), y.tasks[task], reports)
		y.spent += time.Since(start)
		y.written += store.PagesWritten(y.leader) - written
		y.ok(err)
		for _, outcome := range outcomes {
			if outcome != 0 {
				y.Fatalf("a report was refused: %s", outcome)
			}
		}
		y.mine += len(reports)
	}
	y.seen[task] += uint64(y.reports)
}

// aggregate makes jobs of what waits, of as many reports as an engine's.
func (y *year) aggregate(task, day int, batch dap.BatchID, now time.Time) {
	for {
		reports, err := y.leader.WaitingReports(y.Context(), y.tasks[task], 0, 1000, 8<<20, nil)
		y.ok(err)
		if len(reports) == 0 {
			return
		}
		y.job(task, day, batch, now, reports)
	}
}

// job makes a job and ends it, at both sides. A tenth of the Helper's jobs is never deleted.
func (y *year) job(task, day int, batch dap.BatchID, now time.Time, reports []aggregator.StoredReport) {
	ctx, id := y.Context(), y.tasks[task]
	job := aggregator.AggregationJob{ID: dap.NewAggregationJobID(), Task: id, AggParam: []byte{}, BatchID: batch, State: aggregator.JobActive, CreatedAt: now}
	step := aggregator.HelperStep{Job: aggregator.HelperJob{ID: job.ID, Task: id, AggParam: []byte{}, BatchID: batch, CreatedAt: now}}
	var commits []aggregator.Commit
	for i, r := range reports {
		job.Reports = append(job.Reports, r.Sequence)
		commits = append(commits, aggregator.Commit{Sequence: r.Sequence, OutShare: storetest.OutShare(1)})
		step.Job.Newest = max(step.Job.Newest, r.Time)
		step.Commits = append(step.Commits, aggregator.HelperCommit{Index: i, ID: r.ID, Time: r.Time, OutShare: storetest.OutShare(1)})
		step.Responses = append(step.Responses, dap.VerifyResp{ReportID: r.ID, Type: dap.VerifyRespFinish})
	}
	y.ok(y.leader.CreateAggregationJob(ctx, job, nil))
	_, err := y.helper.CommitHelperStep(ctx, step, storetest.Sums{})
	y.ok(err)
	y.ok(y.leader.FinishAggregationJob(ctx, id, job.ID, commits, nil, storetest.Sums{}))
	if day%10 != 5 {
		y.ok(y.helper.DeleteHelperJob(ctx, id, job.ID))
	}
}

// collect collects a batch. Every other Collector never deletes its job.
func (y *year) collect(task, day int, batch aggregator.Batch, now time.Time) {
	ctx, id := y.Context(), y.tasks[task]
	job := aggregator.CollectionJob{ID: dap.NewCollectionJobID(), Task: id, Batch: batch, State: aggregator.CollectionPending, Request: make([]byte, 100), CreatedAt: now}
	binary.BigEndian.PutUint64(job.RequestDigest[:], uint64(day))
	_, _, err := y.leader.CreateCollectionJob(ctx, job)
	y.ok(err)
	y.ok(y.leader.CloseBatch(ctx, id, job.ID))
	a, err := y.leader.ReadBatch(ctx, id, batch, storetest.Sums{})
	y.ok(err)
	if a.Count != uint64(y.reports) {
		y.Fatalf("day %d has %d reports", day, a.Count)
	}
	share := aggregator.AggregateShareRecord{Task: id, Batch: batch, Count: a.Count, Checksum: a.Checksum, Response: make([]byte, 500), CreatedAt: now}
	binary.BigEndian.PutUint64(share.ID[:], uint64(day))
	_, err = y.helper.PutAggregateShare(ctx, share)
	y.ok(err)
	job.Response, job.EndedAt = make([]byte, 1000), now
	y.ok(y.leader.FinishCollectionJob(ctx, job, a.Count, a.Checksum))
	if day%2 == 0 {
		y.ok(y.leader.DeleteCollectionJob(ctx, id, job.ID))
		y.ok(y.helper.DeleteAggregateShare(ctx, id, share.ID))
	}
}

// retain does what an engine does each hour.
func (y *year) retain(s aggregator.Store, task int, now time.Time) {
	const period = 30 * 24 * time.Hour
	_, err := s.AgeFloor(y.Context(), y.tasks[task], aggregator.Aging{Now: now, Period: period, Limit: dap.Time(now.Add(-period).Unix() / 3600)})
	y.ok(err)
	for more := true; more; {
		swept, err := s.Sweep(y.Context(), y.tasks[task], aggregator.SweepLimits{AnswersBefore: now.Add(-period)})
		y.ok(err)
		more = swept.More
	}
}

func (y *year) month() (m month) {
	m.leaderUsed, m.leaderSize = store.Used(y.leader)
	m.helperUsed, m.helperSize = store.Used(y.helper)
	m.uploads = float64(y.mine) / y.spent.Seconds()
	m.pages = float64(y.written) / float64(y.mine)
	y.mine, y.spent, y.written = 0, 0, 0
	return m
}

// exact looks at the numbers at the end: all reports were counted; what was never collected and is too old has expired.
func (y *year) exact() {
	for task, id := range y.tasks {
		l, err := y.leader.Counts(y.Context(), id)
		y.ok(err)
		h, err := y.helper.HelperCounts(y.Context(), id)
		y.ok(err)
		days := y.seen[task] / uint64(y.reports)
		collected := (days - days/10) * uint64(y.reports)
		if l.Aggregated != y.seen[task] || h.Aggregated != y.seen[task] || l.Collected != collected || h.Collected != collected {
			y.Errorf("of %d reports the Leader has counted %d and collected %d, the Helper %d and %d", y.seen[task], l.Aggregated, l.Collected, h.Aggregated, h.Collected)
		}
		least := (days/10 - 4) * uint64(y.reports)
		if l.Expired < least || l.Expired != h.Expired {
			y.Errorf("%d reports have expired at the Leader, %d at the Helper", l.Expired, h.Expired)
		}
	}
}
