package aggregator_test

import (
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/testvdaf"
)

// A rejectionCase is a report that passes the upload, and is rejected afterwards.
type rejectionCase struct {
	name        string
	measurement uint64
	change      func(*draft)
	want        dap.ReportError
	atHelper    bool // the Helper rejects it, not the Leader
}

func flip(c *dap.HpkeCiphertext) { c.Payload[len(c.Payload)/2] ^= 1 }

func private(share func(*draft) *dap.PlaintextInputShare, extensions ...dap.Extension) func(*draft) {
	return func(d *draft) { share(d).PrivateExtensions = extensions }
}

func leaders(d *draft) *dap.PlaintextInputShare { return &d.leader }
func helpers(d *draft) *dap.PlaintextInputShare { return &d.helper }

func payload(share func(*draft) *dap.PlaintextInputShare, b []byte) func(*draft) {
	return func(d *draft) { share(d).Payload = b }
}

func rejectionCases() []rejectionCase {
	unknown := dap.Extension{Type: 23}
	return []rejectionCase{
		{"a Leader's share that does not open", 1, after(func(r *dap.Report) { flip(&r.LeaderEncryptedInputShare) }), dap.ReportErrorHpkeDecryptError, false},
		{"a public share that was altered", 1, after(func(r *dap.Report) { r.PublicShare[0] ^= 1 }), dap.ReportErrorHpkeDecryptError, false},
		{"a time that was altered", 1, after(func(r *dap.Report) { r.Metadata.Time-- }), dap.ReportErrorHpkeDecryptError, false},
		{"an ID that was altered", 1, after(func(r *dap.Report) { r.Metadata.ReportID[0] ^= 1 }), dap.ReportErrorHpkeDecryptError, false},
		{"a Leader's share of the wrong length", 1, payload(leaders, []byte{1}), dap.ReportErrorInvalidMessage, false},
		{"a Leader's extension that is unknown", 1, private(leaders, unknown), dap.ReportErrorInvalidMessage, false},
		{"a Leader's extension twice", 1, private(leaders, unknown, unknown), dap.ReportErrorInvalidMessage, false},
		{"a public share of the wrong length", 1, func(d *draft) { d.publicShare = []byte{1} }, dap.ReportErrorInvalidMessage, false},
		{"a Leader's verification that fails", testvdaf.Failing(1, testvdaf.Failure{Step: testvdaf.FailInit, Who: testvdaf.Leader}), nil, dap.ReportErrorVdafVerifyError, false},

		{"a Helper's share that does not open", 1, after(func(r *dap.Report) { flip(&r.HelperEncryptedInputShare) }), dap.ReportErrorHpkeDecryptError, true},
		{"a Helper's key that is unknown", 1, after(func(r *dap.Report) { r.HelperEncryptedInputShare.ConfigID++ }), dap.ReportErrorHpkeDecryptError, true},
		{"a Helper's share of the wrong length", 1, payload(helpers, []byte{1}), dap.ReportErrorInvalidMessage, true},
		{"a Helper's extension that is unknown", 1, private(helpers, unknown), dap.ReportErrorInvalidMessage, true},
		{"a Helper's extensions out of order", 1, private(helpers, dap.Extension{Type: 42}, unknown), dap.ReportErrorInvalidMessage, true},
		{"the Helper's verification that fails", testvdaf.Failing(1, testvdaf.Failure{Step: testvdaf.FailInit, Who: testvdaf.Helper}), nil, dap.ReportErrorVdafVerifyError, true},
	}
}

func TestRejections(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		t.Run(mode.String(), func(t *testing.T) {
			w := newWorld(t, settings{mode: mode, minBatch: 4})
			atLeader := make(map[dap.ReportError]uint64)
			atHelper := make(map[dap.ReportError]uint64)
			sum := uint64(0)
			for i, c := range rejectionCases() {
				changes := []func(*draft){}
				if c.change != nil {
					changes = append(changes, c.change)
				}
				w.uploadAll(w.report(c.measurement, changes...))
				atLeader[c.want]++
				if c.atHelper {
					atHelper[c.want]++
				}
				if mode == dap.BatchModeLeaderSelected {
					w.settled() // one batch, whose room comes back
				}
				if i%4 == 0 {
					good, s := w.reports(1)
					w.uploadAll(good...)
					sum += s
				}
				if i%5 == 0 {
					w.settled() // several jobs
				}
			}
			counts := w.settled()
			if !maps.Equal(counts.Rejected, atLeader) {
				t.Errorf("the Leader has rejected %v, want %v", counts.Rejected, atLeader)
			}
			helperCounts, err := w.helper.Counts(ctx, w.id)
			w.ok(err)
			if !maps.Equal(helperCounts.Rejected, atHelper) {
				t.Errorf("the Helper has rejected %v, want %v", helperCounts.Rejected, atHelper)
			}
			request := w.thisHour()
			if mode == dap.BatchModeLeaderSelected {
				request = w.query(nil, nil)
			}
			w.wantResult(w.collect(request), 4, sum)
		})
	}
}

// TestVerificationFailures makes reports fail at every step of the exchange, at
// either aggregator or both, among reports that do not fail.
func TestVerificationFailures(t *testing.T) {
	for rounds := 1; rounds <= 3; rounds++ {
		for _, async := range []bool{false, true} {
			t.Run(fmt.Sprintf("rounds=%d/async=%t", rounds, async), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, settings{vdaf: testvdaf.Config{Rounds: rounds}, async: async, minBatch: 10})
				failures := uint64(0)
				var reports []dap.Report
				for round := range rounds {
					for _, step := range []testvdaf.Step{testvdaf.FailInit, testvdaf.FailSharesToMessage, testvdaf.FailNext} {
						for _, who := range []testvdaf.Who{testvdaf.Both, testvdaf.Leader, testvdaf.Helper} {
							if step == testvdaf.FailInit && round > 0 || step == testvdaf.FailNext && who == testvdaf.Leader && round == rounds-1 && rounds%2 == 1 {
								// In the last case the Helper would have counted what the Leader
								// rejects, which proofs rule out (DAP Section 4.5.3.1).
								continue
							}
							if step == testvdaf.FailNext && who == testvdaf.Helper && round == rounds-1 && rounds%2 == 0 {
								continue // the Leader sends its output share's last message and waits
							}
							f := testvdaf.Failure{Step: step, Round: round, Who: who}
							reports = append(reports, w.report(testvdaf.Failing(1<<20, f)))
							failures++
						}
					}
				}
				good, sum := w.reports(10)
				w.uploadAll(append(reports, good...)...)
				w.wantResult(w.collect(w.thisHour()), 10, sum)
				counts := w.counts()
				if counts.Rejected[dap.ReportErrorVdafVerifyError] != failures || len(counts.Rejected) != 1 || counts.Quarantined != 0 {
					t.Errorf("%d failures, counted %+v", failures, counts)
				}
			})
		}
	}
}

func TestHelperClock(t *testing.T) {
	helperClock := &clock{now: time.Date(2026, 3, 1, 11, 0, 0, 0, time.UTC)}
	w := newWorld(t, settings{minBatch: 2, helper: func(c *aggregator.HelperConfig) { c.Now = helperClock.Now }})
	w.uploadAll(w.report(1), w.report(2, at(w.now()-1)))
	counts := w.settled()
	if counts.Rejected[dap.ReportErrorReportTooEarly] != 1 || counts.Aggregated != 1 {
		t.Errorf("%+v", counts)
	}
	helperClock.advance(56 * time.Minute)
	w.uploadAll(w.report(4))
	got := w.collect(w.query(&dap.Interval{Start: w.now() - 1, Duration: 2}, nil))
	w.wantResult(got, 2, 2+4)
}

// TestOnlyBadReports: jobs of which the Leader rejects every report never reach the Helper.
func TestOnlyBadReports(t *testing.T) {
	w := newWorld(t, settings{})
	for range 3 {
		w.uploadAll(w.report(1, payload(leaders, []byte{1})))
		w.settled()
	}
	if n := w.peer.count("init"); n != 0 {
		t.Errorf("%d requests to the Helper", n)
	}
	reports, sum := w.reports(3)
	w.uploadAll(reports...)
	w.wantResult(w.collect(w.thisHour()), 3, sum)
}
