package store

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// waitingEntry is a report that waits, keyed by its sequence number.
//
//	struct {
//	  uint64 time;
//	  opaque report_id[16];
//	} waitingEntry;
type waitingEntry struct {
	time dap.Time
	id   dap.ReportID
}

const waitingLength = 8 + 16

func (e waitingEntry) encode() []byte {
	return append(be64(uint64(e.time)), e.id[:]...)
}

func decodeWaiting(b []byte) (e waitingEntry, err error) {
	if len(b) != waitingLength {
		return e, fmt.Errorf("it has %d bytes, not %d", len(b), waitingLength)
	}
	e.time = dap.Time(binary.BigEndian.Uint64(b))
	copy(e.id[:], b[8:])
	return e, nil
}

// maxUploadReports bounds one Upload.
const maxUploadReports = 1 << 20

// Upload implements aggregator.LeaderStore. A report that was accepted before
// is a replay even if its batch is closed by now.
func (l *Leader) Upload(ctx context.Context, task dap.TaskID, reports []aggregator.UploadReport) ([]dap.ReportError, error) {
	if len(reports) > maxUploadReports {
		return nil, inputError("reports", "there are %d; at most %d fit into one call", len(reports), maxUploadReports)
	}
	size := 0
	for i := range reports {
		size += len(reports[i].Body) + 128
		if len(reports[i].Body) == 0 {
			return nil, inputError("report body", "it is empty")
		}
		if err := checkTime(reports[i].Time); err != nil {
			return nil, err
		}
	}
	var outcomes []dap.ReportError
	err := l.upload(ctx, size, func(t *txn) error {
		outcomes = make([]dap.ReportError, len(reports))
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		return sp.upload(reports, outcomes)
	})
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

func (sp *space) upload(reports []aggregator.UploadReport, outcomes []dap.ReportError) error {
	u := uploader{
		sp:      sp,
		bodies:  sp.sub(bucketBodies).sequential(),
		waiting: sp.sub(bucketWaiting).sequential(),
		times:   make(timeDeltas),
		refused: make(map[dap.Time]bool),
	}
	u.pageSize = u.bodies.pageSize()
	var err error
	if u.ids, err = sp.reportIDs(); err != nil {
		return err
	}
	if u.floor, err = sp.floor(); err != nil {
		return err
	}
	accepted, newest := uint64(0), uint64(0)
	for i := range reports {
		if outcomes[i], err = u.one(&reports[i]); err != nil {
			return err
		}
		if outcomes[i] == 0 {
			accepted++
			newest = max(newest, uint64(reports[i].Time))
		}
	}
	if accepted == 0 {
		return nil
	}
	if err := firstError(sp.applyTimes(u.times), u.ids.recent.settle(accepted)); err != nil {
		return err
	}
	return sp.changeLeaderCounters(func(c *leaderCounters) {
		c.Waiting += accepted
		c.Newest = max(c.Newest, newest)
	})
}

// uploader is one Upload within its transaction.
type uploader struct {
	sp              *space
	ids             *reportIDs
	floor           dap.Time
	bodies, waiting bucket
	times           timeDeltas
	pageSize        int
	length, pieces  int               // of the last body, and into how many pieces it was cut
	refused         map[dap.Time]bool // times that were looked up: whether their bucket is closed
}

func (u *uploader) one(r *aggregator.UploadReport) (dap.ReportError, error) {
	if r.Time < u.floor {
		return dap.ReportErrorReportDropped, nil
	}
	found, err := u.ids.has(&r.ID)
	if err != nil {
		return 0, err
	}
	if found {
		return dap.ReportErrorReportReplayed, nil
	}
	refused, err := u.isClosed(r.Time)
	if err != nil {
		return 0, err
	}
	if refused {
		return dap.ReportErrorBatchCollected, nil
	}
	sequence, err := u.bodies.next()
	if err != nil {
		return 0, err
	}
	key := be64(sequence)
	u.times.add(r.Time, 1, 0)
	return 0, firstError(
		u.bodies.putPieces(key, r.Body, u.cut(len(r.Body))),
		u.waiting.put(key, waitingEntry{r.Time, r.ID}.encode()),
		u.ids.insert(&r.ID, idEntry{state: idOpen, time: r.Time, sequence: sequence}),
	)
}

// cut is bodyPieces. The bodies of a task have the same length, mostly.
func (u *uploader) cut(length int) int {
	if length != u.length || u.pieces == 0 {
		u.length, u.pieces = length, bodyPieces(length, u.pageSize)
	}
	return u.pieces
}

func (u *uploader) isClosed(t dap.Time) (bool, error) {
	if u.sp.mode != dap.BatchModeTimeInterval {
		return false, nil
	}
	refused, known := u.refused[t]
	if !known {
		var err error
		if refused, err = u.sp.closedAt(t); err != nil {
			return false, err
		}
		u.refused[t] = refused
	}
	return refused, nil
}

// WaitingReports implements aggregator.LeaderStore.
func (l *Leader) WaitingReports(ctx context.Context, task dap.TaskID, after uint64, maxReports, maxBytes int, within *dap.Interval) (reports []aggregator.StoredReport, err error) {
	err = l.view(ctx, func(t *txn) error {
		sp, err := t.space(task)
		if err != nil {
			return err
		}
		reports, err = sp.waitingReports(after, maxReports, maxBytes, within)
		return err
	})
	return reports, err
}

func (sp *space) waitingReports(after uint64, maxReports, maxBytes int, within *dap.Interval) (reports []aggregator.StoredReport, err error) {
	matching := ^uint64(0) // at most so many reports are to be found
	if within != nil {
		if err := within.CheckWellFormed(); err != nil {
			return nil, err
		}
		pending, err := sp.pendingIn(*within)
		if err != nil {
			return nil, err
		}
		matching = pending.waiting
	}
	if after == ^uint64(0) || maxReports <= 0 || matching == 0 {
		return nil, nil
	}
	waiting, bodies := sp.sub(bucketWaiting), sp.sub(bucketBodies)
	bytes := 0
	err = waiting.between(be64(after+1), be64(^uint64(0)), func(key, value []byte) (bool, error) {
		sequence, err := waiting.ordinalOf(key)
		if err != nil {
			return false, err
		}
		entry, err := decodeWaiting(value)
		if err != nil {
			return false, waiting.damaged(key, "%v", err)
		}
		if within != nil && !within.Contains(entry.time) {
			return true, nil
		}
		report, err := bodies.report(sequence, entry)
		if err != nil {
			return false, err
		}
		if bytes += len(report.Body); bytes > maxBytes && len(reports) > 0 {
			return false, nil
		}
		reports = append(reports, report)
		return len(reports) < maxReports && uint64(len(reports)) < matching, nil
	})
	if err != nil {
		return nil, err
	}
	return reports, nil
}

// report reads a report's body.
func (b bucket) report(sequence uint64, entry waitingEntry) (aggregator.StoredReport, error) {
	key := be64(sequence)
	body, err := b.getPieces(key)
	if err != nil {
		return aggregator.StoredReport{}, err
	}
	if body == nil {
		return aggregator.StoredReport{}, b.damaged(key, "the body of the report is missing")
	}
	return aggregator.StoredReport{Sequence: sequence, ID: entry.id, Time: entry.time, Body: body}, nil
}
