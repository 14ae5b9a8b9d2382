package aggregator_test

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/dp"
	"github.com/twofold-dap/twofold/store"
)

// fixedBits is a reader of the same random bits each time, for many goroutines.
type fixedBits struct {
	mu      sync.Mutex
	chacha  *rand.ChaCha8
	failing atomic.Bool
}

func newFixedBits(seed byte) *fixedBits { return &fixedBits{chacha: rand.NewChaCha8([32]byte{seed})} }

var errNoBits = errors.New("no random bits")

func (f *fixedBits) Read(b []byte) (int, error) {
	if f.failing.Load() {
		return 0, errNoBits
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.chacha.Read(b)
}

// parameters are those of tasks in which each client has one report in each of so many batches, for which the budget
// suffices.
func parameters(epsilon *big.Rat, batches int64, maxBatch uint64) *dp.Parameters {
	return &dp.Parameters{
		Kind: dp.PureEpsilon, Neighbours: dp.ReplaceOne, Level: epsilon, Budget: new(big.Rat).Mul(epsilon, big.NewRat(batches, 1)),
		ReportsPerClient: 1_000_000, ReportsPerBatch: 1, MaxBatchSize: maxBatch,
	}
}

// privateWorld has a task that adds up numbers of 0 to 100, with noise.
func privateWorld(t testing.TB, s settings, p *dp.Parameters) *world {
	s.prio3, s.privacy = dap.Prio3SumConfig{MaxMeasurement: 100}, p
	leader, helper := s.leader, s.helper
	leaderBits, helperBits := newFixedBits(1), newFixedBits(2) // go on after a restart
	s.leader = func(c *aggregator.LeaderConfig) {
		c.NoiseRandom = leaderBits
		if leader != nil {
			leader(c)
		}
	}
	s.helper = func(c *aggregator.HelperConfig) {
		c.NoiseRandom = helperBits
		if helper != nil {
			helper(c)
		}
	}
	return newWorld(t, s)
}

// hundreds are n reports of 100 each.
func (w *world) hundreds(n int, change ...func(*draft)) (reports []dap.Report) {
	w.Helper()
	for range n {
		reports = append(reports, w.report(100, change...))
	}
	return reports
}

func hoursAgo(n int) func(*draft) {
	return func(d *draft) { d.metadata.Time -= dap.Time(n) }
}

func (w *world) hourAgo(n int) []byte {
	w.Helper()
	return w.query(&dap.Interval{Start: w.now() - dap.Time(n), Duration: 1}, nil)
}

// openCentred returns the noised sum of a result.
func (w *world) openCentred(request, body []byte) (count uint64, value int64) {
	w.Helper()
	r := w.open(request, body)
	const modulus = 1<<64 - 1<<32 + 1
	if r.sum > modulus/2 {
		return r.count, -int64(modulus - r.sum)
	}
	return r.count, int64(r.sum)
}

// answer waits for a collection job's answer, as it is sent.
func (w *world) answer(id dap.CollectionJobID) []byte {
	w.Helper()
	var status aggregator.CollectionStatus
	w.eventually("the collection job is ready", func() bool {
		var err error
		status, err = w.leader.PollCollectionJob(context.Background(), w.id, id)
		w.ok(err)
		return status.Ready
	})
	return status.Body
}

// ledgers expects that so many batches were charged at the Leader and at the Helper.
func (w *world) ledgers(leader, helper uint64) {
	w.Helper()
	for role, privacy := range map[string]func(context.Context, dap.TaskID) (aggregator.Privacy, error){"leader": w.leader.Privacy, "helper": w.helper.Privacy} {
		got, err := privacy(context.Background(), w.id)
		w.ok(err)
		want := map[string]uint64{"leader": leader, "helper": helper}[role]
		if got.Ledger.Batches != want || got.Mechanism == nil {
			w.Errorf("the %s's ledger has %+v, want %d batches", role, got.Ledger, want)
		}
	}
}

// The same bytes on a repeated request, whatever happens between: the answer gets lost, either side restarts, the job is
// polled or asked for anew.
func TestNoiseIsTheSameAgain(t *testing.T) {
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		t.Run(mode.String(), func(t *testing.T) {
			t.Parallel()
			w := privateWorld(t, settings{mode: mode, keepQuiet: true}, parameters(big.NewRat(1, 2), 5, 1000))
			var shares [][]byte
			w.peer.setMangle(func(operation string, reply *aggregator.PeerReply) {
				if operation == "share" {
					shares = append(shares, reply.Body)
				}
			})
			lost := 0
			w.peer.setHook(func(operation string, answered bool) error {
				if operation == "share" && answered && lost < 3 {
					lost++
					return errNetwork // the Helper has noised, stored and charged, and its answer gets lost
				}
				return nil
			})
			request := w.query(nil, nil)
			if mode == dap.BatchModeTimeInterval {
				request = w.thisHour()
			}
			w.uploadAll(w.hundreds(3)...)
			id := w.ask(request)
			first := w.answer(id)
			w.ledgers(1, 1)
			count, value := w.openCentred(request, first)
			if count != 3 || value == 300 {
				t.Errorf("%d reports with %d; there is no noise", count, value)
			}
			w.restartLeader()
			w.restartHelper()
			if again := w.ask(request); again != id || !bytes.Equal(w.answer(again), first) {
				t.Error("the same request has another answer")
			}
			if lost != 3 || len(shares) != 1 {
				t.Fatalf("%d answers were lost, %d arrived", lost, len(shares))
			}
			w.ledgers(1, 1)
			w.ok(w.leader.DeleteCollectionJob(ctx, w.id, id))
			if mode == dap.BatchModeTimeInterval {
				w.wantError("asked anew", w.collectError(request), dap.ErrorTypeBatchOverlap)
			}
			w.ledgers(1, 1)
		})
	}
}

// The Helper gives the same share for the same request, from several requests at once, and after a restart.
func TestHelpersNoiseIsStored(t *testing.T) {
	w := privateWorld(t, settings{}, parameters(big.NewRat(1, 2), 5, 1000))
	l := w.byHand()
	reports := w.hundreds(3)
	l.create(l.init(nil, reports...))
	body := l.encode(l.shareRequest(reports...))
	const callers = 8
	var answers [callers]aggregator.AggregateShareStatus
	var group sync.WaitGroup
	for i := range answers {
		group.Go(func() {
			var err error
			if answers[i], err = w.helper.CreateAggregateShare(ctx, w.id, body); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	w.restartHelper()
	again, err := w.helper.CreateAggregateShare(ctx, w.id, body)
	w.ok(err)
	polled, err := w.helper.PollAggregateShare(ctx, w.id, again.ID)
	w.ok(err)
	for _, a := range append(answers[:], again, polled) {
		if a.ID != answers[0].ID || !bytes.Equal(a.Body, answers[0].Body) || len(a.Body) == 0 {
			t.Fatal("the same request has another share")
		}
	}
	w.ok(w.helper.DeleteAggregateShare(ctx, w.id, again.ID))
	_, err = w.helper.CreateAggregateShare(ctx, w.id, body)
	w.wantError("after it was deleted", err, dap.ErrorTypeBatchOverlap)
	w.ledgers(0, 1)
}

// Whatever commit fails, before or after it is durable, at either side: the batch is charged once, and the answer does not change.
func TestNoiseAndFailedCommits(t *testing.T) {
	for name, stage := range map[string]store.CommitStage{"before": store.BeforeCommit, "after": store.AfterCommit} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := privateWorld(t, settings{keepQuiet: true}, parameters(big.NewRat(1, 2), 20, 1000))
			for round := range 4 {
				w.clock.advance(time.Hour)
				w.uploadAll(w.hundreds(3)...)
				w.settled()
				for _, hook := range []*commitHook{&w.leaderHook, &w.helperHook} {
					var commits atomic.Int32
					hook.set(func(at store.CommitStage) error {
						if at == stage && int(commits.Add(1)) == round+1 {
							return errors.New("the disk has failed")
						}
						return nil
					})
				}
				request := w.thisHour()
				var id dap.CollectionJobID
				w.eventually("the collection job is stored", func() bool {
					status, err := w.leader.CreateCollectionJob(ctx, w.id, request)
					id = status.ID
					return err == nil
				})
				answer := w.answer(id)
				w.leaderHook.set(nil)
				w.helperHook.set(nil)
				w.restartLeader()
				w.restartHelper()
				if !bytes.Equal(w.answer(id), answer) {
					t.Fatal("the answer has changed")
				}
				w.ledgers(uint64(round+1), uint64(round+1))
			}
		})
	}
}

// When the budget is spent, the Leader refuses to collect, and asks nothing of the Helper.
func TestBudgetAtTheLeader(t *testing.T) {
	w := privateWorld(t, settings{keepQuiet: true}, parameters(big.NewRat(1, 2), 2, 1000))
	for i := range 3 {
		w.uploadAll(w.hundreds(3, hoursAgo(i))...)
	}
	w.settled()
	waiting := w.ask(w.hourAgo(7)) // for reports that are not there yet
	for i := range 2 {
		w.answer(w.ask(w.hourAgo(i)))
	}
	w.ledgers(2, 2)
	asked := w.peer.count("share")
	refused := w.collectError(w.hourAgo(2))
	w.wantError("the third", refused, dap.ErrorTypeBatchInvalid)
	if want := "the task's privacy budget is spent: 2 batches have cost a client ε = 1, one more would make it 1.5, and the budget is 1"; !strings.Contains(refused.Detail, want) {
		t.Errorf("the detail is %q", refused.Detail)
	}
	w.eventually("the job that waited has failed", func() bool {
		_, err := w.leader.PollCollectionJob(ctx, w.id, waiting)
		if err != nil {
			w.wantError("the one that waited", err, dap.ErrorTypeBatchInvalid)
		}
		return err != nil
	})
	if n := w.peer.count("share"); n != asked {
		t.Errorf("the Helper was asked for %d shares", n-asked)
	}
	// What was collected can be had still.
	w.answer(w.ask(w.hourAgo(0)))
	w.ledgers(2, 2)
}

// careless is the store of a Leader that does not check the budget, nor charges it.
type careless struct{ aggregator.LeaderStore }

func (careless) PrivacyLedger(context.Context, dap.TaskID) (aggregator.PrivacyLedger, error) {
	return aggregator.PrivacyLedger{}, nil
}

// When the Leader is made not to check, the Helper refuses.
func TestBudgetAtTheHelper(t *testing.T) {
	w := privateWorld(t, settings{keepQuiet: true, leader: func(c *aggregator.LeaderConfig) { c.Store = careless{c.Store} }}, parameters(big.NewRat(1, 2), 2, 1000))
	for i := range 3 {
		w.uploadAll(w.hundreds(3, hoursAgo(i))...)
	}
	w.settled()
	for i := range 2 {
		w.answer(w.ask(w.hourAgo(i)))
	}
	asked := w.peer.count("share")
	refused := w.collectError(w.hourAgo(2))
	w.wantError("the third", refused, dap.ErrorTypeBatchInvalid)
	if !strings.Contains(refused.Detail, "privacy budget is spent") || w.peer.count("share") != asked+1 {
		t.Errorf("%q, after %d requests", refused.Detail, w.peer.count("share")-asked)
	}
	w.ledgersOf(w.helper.Privacy, 2)
}

func (w *world) ledgersOf(privacy func(context.Context, dap.TaskID) (aggregator.Privacy, error), want uint64) {
	w.Helper()
	got, err := privacy(ctx, w.id)
	w.ok(err)
	if got.Ledger.Batches != want {
		w.Errorf("%+v; want %d batches", got.Ledger, want)
	}
}

// A batch of more reports than the task allows is refused before it is closed, by both; parts of it are not.
func TestBatchTooLargeForTheNoise(t *testing.T) {
	w := privateWorld(t, settings{keepQuiet: true}, parameters(big.NewRat(1, 2), 100, 5))
	for i := range 2 {
		w.uploadAll(w.hundreds(3, hoursAgo(i))...)
	}
	w.settled()
	refused := w.collectError(w.query(&dap.Interval{Start: w.now() - 1, Duration: 2}, nil))
	w.wantError("6 reports", refused, dap.ErrorTypeBatchInvalid)
	if !strings.Contains(refused.Detail, "has 6 reports, and the task allows 5") {
		t.Errorf("the detail is %q", refused.Detail)
	}
	w.uploadAll(w.hundreds(1)...) // it was not closed
	for i := range 2 {
		w.answer(w.ask(w.hourAgo(i)))
	}
	w.ledgers(2, 2)

	l := w.byHand()
	w.clock.advance(10 * time.Hour)
	reports := w.hundreds(6)
	l.create(l.init(nil, reports...))
	_, err := w.helper.CreateAggregateShare(ctx, w.id, l.encode(l.shareRequest(reports...)))
	w.wantError("the Helper", err, dap.ErrorTypeBatchInvalid)
	w.ledgers(2, 2)
}

// When noise cannot be drawn, nothing is collected and nothing released, until it can be again.
func TestDrawThatFails(t *testing.T) {
	for _, role := range []dap.Role{dap.RoleLeader, dap.RoleHelper} {
		t.Run(role.String(), func(t *testing.T) {
			t.Parallel()
			bits := newFixedBits(9)
			bits.failing.Store(true)
			s := settings{keepQuiet: true}
			if role == dap.RoleLeader {
				s.leader = func(c *aggregator.LeaderConfig) { c.NoiseRandom = bits }
			} else {
				s.helper = func(c *aggregator.HelperConfig) { c.NoiseRandom = bits }
			}
			w := privateWorld(t, s, parameters(big.NewRat(1, 2), 100, 5))
			w.uploadAll(w.hundreds(3)...)
			id := w.ask(w.thisHour())
			w.eventually("it is tried again", func() bool {
				job, err := w.leaderStore.CollectionJob(ctx, w.id, id)
				w.ok(err)
				return job.Attempts >= 3
			})
			helper := uint64(0)
			if role == dap.RoleLeader {
				helper = 1 // it has done its part
			}
			w.ledgers(0, helper)
			bits.failing.Store(false)
			w.answer(id)
			w.ledgers(1, 1)
		})
	}
}

// Unsound parameters are refused when a task is added, and when it is advertised.
func TestUnsoundPrivacyIsRefused(t *testing.T) {
	w := privateWorld(t, settings{taskprov: true}, parameters(big.NewRat(1, 2), 2, 1000))
	for want, change := range map[string]func(*dp.Parameters){
		"the budget is ε = 1/4, but the first batch costs a client 1/2": func(p *dp.Parameters) { p.Budget = big.NewRat(1, 4) },
		"the maximum batch size is 2, below the task's minimum of 3":    func(p *dp.Parameters) { p.MaxBatchSize = 2 },
		"the result may wrap around the field":                          func(p *dp.Parameters) { p.MaxBatchSize = 1 << 62 },
	} {
		p := *parameters(big.NewRat(1, 2), 2, 1000)
		change(&p)
		w.privacy = &p
		w.makeTask()
		for role, add := range map[dap.Role]func(context.Context, aggregator.Task) error{dap.RoleLeader: w.leader.AddTask, dap.RoleHelper: w.helper.AddTask} {
			err := add(ctx, w.task(role))
			if problem, ok := errors.AsType[*aggregator.TaskError](err); !ok || !strings.Contains(problem.Error(), want) {
				t.Errorf("%s: %v; want %q", role, err, want)
			}
		}
		w.ok(w.helper.AddPeering(ctx, aggregator.Peering{
			Name: "leader", VerifyKeyInit: bytes.Repeat([]byte{3}, 32), TokenHash: w.task(dap.RoleHelper).LeaderTokenHash,
			OptIn: &aggregator.TaskprovOptIn{CollectorHpkeConfig: w.keypair.Config, MinBatchSize: 1},
		}))
		err := w.helper.OptIn(ctx, w.id, w.encoded, leaderToken)
		w.wantError("opting in", err, dap.ErrorTypeInvalidTask)
		if !strings.Contains(w.dapError(err).Detail, want) {
			t.Errorf("opting in: %v; want %q", err, want)
		}
	}
}
