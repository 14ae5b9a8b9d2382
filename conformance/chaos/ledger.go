package main

import (
	"errors"
	"fmt"
	"sync"

	"github.com/twofold-dap/twofold/client"
	"github.com/twofold-dap/twofold/dap"
)

// ledger knows what became of each report of a task: what the Leader has said,
// and how often results count it. Its methods may be called by several goroutines.
type ledger struct {
	mu      sync.Mutex
	entries []entry
	read    func([]uint64) ([]uint64, error)
	total   uint64 // reports in all results
}

// entry is one report.
type entry struct {
	used    bool
	time    dap.Time
	spoiled bool // must never be counted
	spare   bool // only there to fill a batch: it may stay uncollected
	sent    int  // requests with it
	open    int  // of these, not ended
	unknown int  // of these, without a definite answer
	// accepted and refused are the Leader's word. A report may have both: it
	// was accepted, and refused when it came again.
	accepted, refused bool
	reason            dap.ReportError // of the refusal
	counted           uint64
}

func newLedger(k kind) *ledger { return &ledger{entries: make([]entry, k.capacity), read: k.read} }

// add notes a new report: its entry has what is known of it from the beginning.
func (l *ledger) add(index int, e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.used = true
	l.entries[index] = e
}

// begin notes that reports are sent.
func (l *ledger) begin(indices []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range indices {
		l.entries[i].sent++
		l.entries[i].open++
	}
}

// lost notes that a request with reports has ended without a definite answer.
func (l *ledger) lost(indices []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range indices {
		l.entries[i].open--
		l.entries[i].unknown++
	}
}

// answered notes the answer to a request with reports. It returns how many were
// accepted that were not known to be, and an error for an answer that cannot be right.
func (l *ledger) answered(indices []int, outcomes []client.Outcome) (accepted int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for place, i := range indices {
		e := &l.entries[i]
		e.open--
		switch {
		case outcomes[place].Status == client.StatusUploaded,
			outcomes[place].Reason == dap.ReportErrorReportReplayed && e.sent > 1:
			if !e.accepted {
				accepted++
			}
			e.accepted = true
		case outcomes[place].Status == client.StatusRejected:
			e.refused, e.reason = true, outcomes[place].Reason
			if e.sent == 1 && outcomes[place].Reason == dap.ReportErrorReportReplayed {
				errs = append(errs, fmt.Errorf("report %d is refused as replayed, and was never sent before", i))
			}
		default:
			errs = append(errs, fmt.Errorf("report %d has no outcome", i))
		}
	}
	return accepted, errors.Join(errs...)
}

// count notes a result, of a batch that was not collected before, and checks that no
// report is counted that must not be.
func (l *ledger) count(reportCount uint64, numbers []uint64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total += reportCount
	if l.read == nil {
		if len(numbers) != 1 || numbers[0] != reportCount {
			return fmt.Errorf("the result is %d of %d reports, and every report says yes", numbers, reportCount)
		}
		return l.checkTotal()
	}
	counts, err := l.read(numbers)
	if err != nil {
		return err
	}
	var errs []error
	sum := uint64(0)
	for i, n := range counts {
		if n == 0 {
			continue
		}
		e := &l.entries[i]
		sum += n
		e.counted += n
		switch {
		case !e.used:
			errs = append(errs, fmt.Errorf("report %d is counted, and was never made", i))
		case e.spoiled:
			errs = append(errs, fmt.Errorf("report %d is counted, and was spoiled", i))
		case e.counted > 1:
			errs = append(errs, fmt.Errorf("report %d is counted %d times", i, e.counted))
		}
	}
	if sum != reportCount {
		errs = append(errs, fmt.Errorf("the batch has %d reports, and the result %d", reportCount, sum))
	}
	return errors.Join(errs...)
}

// checkTotal checks that not more reports are counted than may be.
func (l *ledger) checkTotal() error {
	most := uint64(0)
	for i := range l.entries {
		if e := &l.entries[i]; e.sent > 0 && !e.spoiled && (e.accepted || e.unknown+e.open > 0) {
			most++
		}
	}
	if l.total > most {
		return fmt.Errorf("%d reports are counted, and at most %d were accepted", l.total, most)
	}
	return nil
}

// due is how many reports with a time that is within were accepted and are not
// counted yet, without those that are only there to fill batches. If results do not
// tell reports apart, none of them counts as counted.
func (l *ledger) due(within func(dap.Time) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for i := range l.entries {
		if e := &l.entries[i]; e.accepted && !e.spoiled && !e.spare && e.counted == 0 && within(e.time) {
			n++
		}
	}
	return n
}

// unanswered is how many reports were sent without it being known what became of them.
func (l *ledger) unanswered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := 0
	for i := range l.entries {
		if e := &l.entries[i]; e.unknown > 0 && !e.accepted {
			n++
		}
	}
	return n
}

// verdict checks, when all is over, that each report is counted as it must be.
func (l *ledger) verdict() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	least := uint64(0)
	for i := range l.entries {
		e := &l.entries[i]
		if e.accepted && !e.spoiled && !e.spare {
			least++
		}
		if l.read == nil {
			continue
		}
		switch {
		case e.accepted && !e.spoiled && !e.spare && e.counted != 1:
			errs = append(errs, fmt.Errorf("report %d was accepted, and is counted %d times (time %d, sent %d times, of these %d without an answer)", i, e.counted, e.time, e.sent, e.unknown))
		case e.counted > 0 && !e.accepted && e.unknown == 0:
			errs = append(errs, fmt.Errorf("report %d was refused (%s), and is counted %d times", i, e.reason, e.counted))
		}
	}
	if l.total < least {
		errs = append(errs, fmt.Errorf("%d reports were accepted, and %d are counted", least, l.total))
	}
	if err := l.checkTotal(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
