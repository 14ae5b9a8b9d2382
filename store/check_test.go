package store

import (
	"context"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/store/storetest"
)

var checkKey = secret.Bytes("0123456789abcdef0123456789abcdef")

// breaker changes a store's records behind its back.
type breaker struct {
	t    *testing.T
	sp   *space
	role dap.Role
}

func (b *breaker) ok(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// sole returns the only, or the first, record of a bucket.
func (b *breaker) sole(name string) (key, value []byte) {
	b.t.Helper()
	key, value = b.sp.sub(name).b.Cursor().First()
	if key == nil {
		b.t.Fatalf("%s is empty", name)
	}
	return slices.Clone(key), slices.Clone(value)
}

func (b *breaker) put(name string, key, value []byte) { b.ok(b.sp.sub(name).put(key, value)) }
func (b *breaker) delete(name string, key []byte)     { b.ok(b.sp.sub(name).delete(key)) }

// id returns where a report ID with that standing is.
func (b *breaker) id(state idState) (at idPlace, entry idEntry) {
	b.t.Helper()
	ids, err := b.sp.reportIDs()
	b.ok(err)
	b.ok(ids.each(func(place idPlace, e idEntry) error {
		if e = b.sp.standing(e); e.state == state && at.id == nil {
			at, entry = place, e
		}
		return nil
	}))
	if at.id == nil {
		b.t.Fatalf("there is no report ID in state %d", state)
	}
	return at, entry
}

// change decodes a record, changes it and stores it.
func change[R any](b *breaker, name string, key []byte, f func(*R)) {
	b.t.Helper()
	var record R
	b.ok(decodeRecord(b.sp.sub(name).get(key), &record))
	f(&record)
	b.put(name, key, encodeRecord(record))
}

// breakage is one way to break a file, and the rule that Check must name.
type breakage struct {
	name     string
	selected bool // in the task of the leader-selected mode
	do       func(*breaker)
	rule     string
	detail   string // a part of it
	more     bool   // other rules are broken as well
}

// collection returns the key of a collection job in a state.
func (b *breaker) collection(state aggregator.CollectionState) (found []byte) {
	b.t.Helper()
	b.ok(b.sp.sub(bucketCollections).each(func(key, value []byte) error {
		c, err := b.sp.decodeCollection(key, value)
		if err == nil && c.job.State == state {
			found = slices.Clone(key)
		}
		return err
	}))
	if found == nil {
		b.t.Fatal("there is no such collection job")
	}
	return found
}

// batch returns the ID of the newest leader-selected batch.
func (b *breaker) batch() []byte {
	key, _ := b.sp.sub(bucketBatches).b.Cursor().Last()
	return slices.Clone(key)
}

// undecodable lists every kind of record of a role, each to be replaced by bytes that are none.
func undecodable(role dap.Role) (all []breakage) {
	names := map[string]bool{bucketBuckets: false, bucketBatches: true, bucketTaken: false, bucketJobs: false}
	if role == dap.RoleLeader {
		for _, name := range []string{bucketWaiting, bucketTimes, bucketClosed, bucketJobReports, bucketCollections} {
			names[name] = false
		}
	} else {
		names[bucketShares] = false
	}
	for name, selected := range names {
		all = append(all, breakage{name + " does not decode", selected, func(b *breaker) {
			key, value := b.sole(name)
			b.put(name, key, append(value, 0xff))
		}, ruleDecodes, name + "/", true})
	}
	for _, name := range []string{bucketTasks, bucketHpkeKeys, bucketPeerings} {
		all = append(all, breakage{name + " does not decode", false, func(b *breaker) {
			top := b.sp.t.top(name)
			key, value := top.b.Cursor().First()
			b.ok(top.put(slices.Clone(key), append(slices.Clone(value), 0xff)))
		}, ruleDecodes, name + "/", false})
	}
	return append(all,
		breakage{"report ID does not decode", false, func(b *breaker) {
			at, entry := b.id(idCounted)
			encoded := entry.encode()[1:]
			if at.number > 0 {
				encoded = append(slices.Clone(at.id[:]), encoded...)
			}
			b.ok(at.in.put(at.key(), encoded))
		}, ruleDecodes, "state 0 with 16 bytes", true},
		breakage{"counters do not decode", false, func(b *breaker) {
			b.ok(b.sp.root.put([]byte(keyCounters), []byte{0xa1, 0x01}))
		}, ruleDecodes, bucketData, true},
		breakage{"shape does not decode", false, func(b *breaker) {
			b.ok(b.sp.root.put([]byte(keyShape), []byte{1}))
		}, ruleDecodes, "it has 1 bytes", true},
	)
}

func TestCheckFindsBrokenLeader(t *testing.T) {
	runBreakages(t, dap.RoleLeader, slices.Concat(leaderBreakages, bothBreakages, undecodable(dap.RoleLeader)), func(path string) checkable {
		l, err := OpenLeader(path, checkKey, WithoutSync(Options{Create: true}))
		if err != nil {
			t.Fatal(err)
		}
		return checkable{l, &l.store}
	}, func(t *testing.T, s checkable) { fillLeader(t, s.Store.(*Leader)) })
}

func TestCheckFindsBrokenHelper(t *testing.T) {
	runBreakages(t, dap.RoleHelper, slices.Concat(helperBreakages, bothBreakages, undecodable(dap.RoleHelper)), func(path string) checkable {
		h, err := OpenHelper(path, checkKey, WithoutSync(Options{Create: true}))
		if err != nil {
			t.Fatal(err)
		}
		return checkable{h, &h.store}
	}, func(t *testing.T, s checkable) { fillHelper(t, s.Store.(*Helper)) })
}

type checkable struct {
	aggregator.Store
	common *store
}

// runBreakages breaks a file in every way, once while all report IDs are in logs, and once when they are in generations.
func runBreakages(t *testing.T, role dap.Role, all []breakage, open func(path string) checkable, fill func(*testing.T, checkable)) {
	for i := range 2 * len(all) {
		b, merged := all[i/2], i%2 == 1
		t.Run(fmt.Sprintf("%s/merged=%t", b.name, merged), func(t *testing.T) {
			s := open(filepath.Join(t.TempDir(), "store.db"))
			defer s.Close()
			fill(t, s)
			if merged {
				flushRecent(t, s.common)
			}
			if violations, err := s.Check(t.Context()); err != nil || len(violations) > 0 {
				t.Fatalf("before it is broken: %v, %v", violations, err)
			}
			inTxn(t, s.common, true, func(tx *txn) {
				task := storetest.NewTask(role, "by time", dap.BatchModeTimeInterval)
				if b.selected {
					task = storetest.NewTask(role, "leader-selected", dap.BatchModeLeaderSelected)
				}
				sp, err := tx.space(task.ID)
				if err != nil {
					t.Fatal(err)
				}
				b.do(&breaker{t, sp, role})
			})
			violations, err := s.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found, others := false, 0
			for _, v := range violations {
				t.Logf("%s: %s", v.Invariant, v.Detail)
				if v.Invariant == b.rule && strings.Contains(v.Detail, b.detail) {
					found = true
				} else if v.Invariant != b.rule {
					others++
				}
			}
			if !found {
				t.Fatalf("the rule %q is broken (%s), but not named", b.rule, b.detail)
			}
			if others > 0 && !b.more {
				t.Fatal("rules are named that are not broken")
			}
		})
	}
}

// fillLeader brings a store into a state in which there is one of everything:
// reports that wait, are in an active job and one in quarantine, are counted and rejected;
// collections that are finished, pending and failed.
func fillLeader(t testing.TB, l *Leader) {
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fillCommon(t, l, ok)
	for _, task := range []aggregator.Task{
		storetest.NewTask(dap.RoleLeader, "by time", dap.BatchModeTimeInterval),
		storetest.NewTask(dap.RoleLeader, "leader-selected", dap.BatchModeLeaderSelected),
	} {
		ok(l.PutTask(ctx, task))
		var reports []aggregator.UploadReport
		for i, time := range []dap.Time{10, 61, 62, 63, 64} {
			r := aggregator.UploadReport{Time: time, Body: []byte("body")}
			binary.BigEndian.PutUint64(r.ID[:], uint64(i+1))
			reports = append(reports, r)
		}
		_, err := l.Upload(ctx, task.ID, reports)
		ok(err)
		job := func(n byte, batch byte, reports ...uint64) aggregator.AggregationJob {
			j := aggregator.AggregationJob{ID: dap.AggregationJobID{n}, Task: task.ID, Reports: reports, State: aggregator.JobActive, CreatedAt: time.Unix(1, 0)}
			if task.Config.BatchMode == dap.BatchModeLeaderSelected {
				j.BatchID = dap.BatchID{batch}
			}
			return j
		}
		ok(l.CreateAggregationJob(ctx, job(9, 1, 1), []aggregator.Rejection{{Sequence: 5, Error: dap.ReportErrorInvalidMessage}}))
		ok(l.FinishAggregationJob(ctx, task.ID, dap.AggregationJobID{9}, []aggregator.Commit{{Sequence: 1, OutShare: storetest.OutShare(1)}}, nil, storetest.Sums{}))
		ok(l.CreateAggregationJob(ctx, job(2, 2, 2), nil))
		ok(l.CreateAggregationJob(ctx, job(3, 2, 3), nil))
		ok(l.QuarantineAggregationJob(ctx, task.ID, dap.AggregationJobID{3}, aggregator.Quarantine{At: time.Unix(2, 0), Reason: "refused"}))
		fillCollections(ctx, l, &task, ok)
	}
}

func fillCollections(ctx context.Context, l *Leader, task *aggregator.Task, ok func(error)) {
	collection := func(n byte, start dap.Time, batch byte) aggregator.CollectionJob {
		c := aggregator.CollectionJob{ID: dap.CollectionJobID{n}, Task: task.ID, Request: []byte{n}, RequestDigest: [32]byte{n}, CreatedAt: time.Unix(int64(n), 0)}
		c.Batch = aggregator.Batch{Mode: task.Config.BatchMode, Interval: dap.Interval{Start: start, Duration: 10}}
		if task.Config.BatchMode == dap.BatchModeLeaderSelected {
			c.Batch = aggregator.Batch{Mode: task.Config.BatchMode, BatchID: dap.BatchID{batch}}
		}
		_, _, err := l.CreateCollectionJob(ctx, c)
		ok(err)
		return c
	}
	failed := collection(1, 30, 0)
	failed.Failure = &dap.Error{Type: dap.ErrorTypeBatchMismatch}
	ok(l.FailCollectionJob(ctx, failed))
	finished := collection(2, 10, 1)
	a, err := l.ReadBatch(ctx, task.ID, finished.Batch, storetest.Sums{})
	ok(err)
	finished.Response = []byte("answer")
	ok(l.FinishCollectionJob(ctx, finished, a.Count, a.Checksum))
	collection(3, 1000, 0) // pending
}

func fillCommon(t testing.TB, s aggregator.Store, ok func(error)) {
	keypair, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	ok(err)
	ok(s.PutHpkeKey(t.Context(), aggregator.HpkeKey{Keypair: keypair}))
	ok(s.PutPeering(t.Context(), aggregator.Peering{Name: "peer", Token: []byte("token")}))
}

// fillHelper does the same for a Helper's store.
func fillHelper(t testing.TB, h *Helper) {
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fillCommon(t, h, ok)
	for _, task := range []aggregator.Task{
		storetest.NewTask(dap.RoleHelper, "by time", dap.BatchModeTimeInterval),
		storetest.NewTask(dap.RoleHelper, "leader-selected", dap.BatchModeLeaderSelected),
	} {
		ok(h.PutTask(ctx, task))
		for n := byte(1); n <= 2; n++ {
			id := dap.ReportID{n}
			step := aggregator.HelperStep{
				Job:       aggregator.HelperJob{ID: dap.AggregationJobID{n}, Task: task.ID, CreatedAt: time.Unix(1, 0)},
				Responses: []dap.VerifyResp{{ReportID: id, Type: dap.VerifyRespFinish}},
				Commits:   []aggregator.HelperCommit{{ID: id, Time: dap.Time(n) * 10, OutShare: storetest.OutShare(1)}},
			}
			if task.Config.BatchMode == dap.BatchModeLeaderSelected {
				step.Job.BatchID = dap.BatchID{n}
			}
			_, err := h.CommitHelperStep(ctx, step, storetest.Sums{})
			ok(err)
		}
		pending := aggregator.HelperJob{ID: dap.AggregationJobID{9}, Task: task.ID, Pending: true, Request: []byte("request"), CreatedAt: time.Unix(1, 0)}
		_, _, err := h.CreateHelperJob(ctx, pending)
		ok(err)
		batch := aggregator.Batch{Mode: dap.BatchModeTimeInterval, Interval: dap.Interval{Start: 10, Duration: 10}}
		if task.Config.BatchMode == dap.BatchModeLeaderSelected {
			batch = aggregator.Batch{Mode: dap.BatchModeLeaderSelected, BatchID: dap.BatchID{1}}
		}
		a, err := h.ReadBatch(ctx, task.ID, batch, storetest.Sums{})
		ok(err)
		_, err = h.PutAggregateShare(ctx, aggregator.AggregateShareRecord{
			ID: dap.AggregateShareID{1}, Task: task.ID, Batch: batch, Count: a.Count, Checksum: a.Checksum, Response: []byte("answer"), CreatedAt: time.Unix(1, 0),
		})
		ok(err)
	}
}

// TestCheckListsNoMoreThanItSays breaks more records than Check lists.
func TestCheckListsNoMoreThanItSays(t *testing.T) {
	l, err := OpenLeader(filepath.Join(t.TempDir(), "store.db"), checkKey, WithoutSync(Options{Create: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fillLeader(t, l)
	task := storetest.NewTask(dap.RoleLeader, "by time", dap.BatchModeTimeInterval)
	err = l.update(t.Context(), 0, func(tx *txn) error {
		sp, err := tx.space(task.ID)
		if err != nil {
			return err
		}
		for n := range uint64(2 * maxViolations) {
			if err := sp.sub(bucketBodies).put(be64(1000+n), []byte("body")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	violations, err := l.Check(t.Context())
	if err != nil || len(violations) != maxViolations+1 || violations[maxViolations].Detail != tooManyDetail {
		t.Fatalf("%d violations, %v", len(violations), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Check(ctx); err != context.Canceled {
		t.Fatalf("got %v", err)
	}
}

// TestCheckPages damages the pages of a store that is open.
func TestCheckPages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store.db")
	l, err := OpenLeader(path, checkKey, WithoutSync(Options{Create: true}))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	fillLeader(t, l)
	// Both the root page of the file's buckets and its copies look like a free page now.
	var root uint64
	if err := l.db.View(func(tx *bolt.Tx) error {
		root = uint64(tx.Bucket([]byte(bucketData)).RootPage())
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	spoilPage(t, path, int64(root))
	violations, err := l.Check(t.Context())
	if err != nil || len(violations) == 0 || violations[0].Invariant != rulePages {
		t.Fatalf("%v, %v", violations, err)
	}
}

// flushRecent moves all report IDs of a store into their generations.
func flushRecent(t testing.TB, s *store) {
	t.Helper()
	inTxn(t, s, true, func(tx *txn) {
		err := tx.eachSpace(func(sp *space) error {
			ids, err := sp.reportIDs()
			if err != nil {
				return err
			}
			_, err = ids.recent.flush(1 << 40)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
