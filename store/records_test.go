package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/store/storetest"
)

func TestSeal(t *testing.T) {
	s, err := newSealer(checkKey)
	if err != nil {
		t.Fatal(err)
	}
	other, err := newSealer(secret.Bytes("another key of thirty-two bytes."))
	if err != nil {
		t.Fatal(err)
	}
	value := secret.Bytes("the value")
	here := place("bucket", []byte("key"), "field")
	sealed := s.seal(value, here)
	if again := s.seal(value, here); bytes.Equal(sealed, again) || bytes.Contains(sealed, value) {
		t.Fatal("the sealed value shows something")
	}
	if got, err := s.unseal(sealed, here); err != nil || !got.Equal(value) {
		t.Fatal(err)
	}
	for name, try := range map[string]func() (secret.Bytes, error){
		"another key":    func() (secret.Bytes, error) { return other.unseal(sealed, here) },
		"another bucket": func() (secret.Bytes, error) { return s.unseal(sealed, place("bucke", []byte("tkey"), "field")) },
		"another record": func() (secret.Bytes, error) { return s.unseal(sealed, place("bucket", []byte("yek"), "field")) },
		"another field":  func() (secret.Bytes, error) { return s.unseal(sealed, place("bucket", []byte("keyf"), "ield")) },
		"truncated":      func() (secret.Bytes, error) { return s.unseal(sealed[:len(sealed)-1], here) },
		"too short":      func() (secret.Bytes, error) { return s.unseal(sealed[:20], here) },
	} {
		if got, err := try(); err == nil || got != nil {
			t.Errorf("%s: it opens", name)
		}
	}
	if got := s.seal(nil, here); got != nil {
		t.Error("an empty value is sealed")
	}
	if got, err := s.unseal(nil, here); got != nil || err != nil {
		t.Error("an empty value does not open")
	}
}

// newTaskLeader opens a new store with one task, until the test ends.
func newTaskLeader(t testing.TB, options Options) (*Leader, aggregator.Task) {
	options.Create = true
	l, err := OpenLeader(filepath.Join(t.TempDir(), "store.db"), checkKey, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	task := storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	if err := l.PutTask(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	return l, task
}

// withSpace runs f on the data of a task of a new store.
func withSpace(t testing.TB, f func(*space)) {
	l, task := newTaskLeader(t, WithoutSync(Options{}))
	inTxn(t, &l.store, false, func(tx *txn) {
		sp, err := tx.space(task.ID)
		if err != nil {
			t.Fatal(err)
		}
		f(sp)
	})
}

// TestClosedIntervals compares the set of closed intervals with a plain one.
func TestClosedIntervals(t *testing.T) {
	withSpace(t, func(sp *space) {
		rapid.Check(t, func(t *rapid.T) {
			clearBucket(sp.sub(bucketClosed))
			var closed [60]bool
			for range rapid.IntRange(1, 12).Draw(t, "intervals") {
				start := rapid.IntRange(0, 50).Draw(t, "start")
				length := rapid.IntRange(1, 9).Draw(t, "length")
				if err := sp.closeInterval(dap.Interval{Start: dap.Time(start), Duration: dap.Duration(length)}); err != nil {
					t.Fatal(err)
				}
				for i := start; i < start+length; i++ {
					closed[i] = true
				}
			}
			runs := 0
			for i := range closed {
				got, err := sp.closedAt(dap.Time(i))
				if err != nil || got != closed[i] {
					t.Fatalf("time %d is closed: %t, %v", i, got, err)
				}
				if closed[i] && (i == 0 || !closed[i-1]) {
					runs++
				}
			}
			n := 0
			if err := sp.sub(bucketClosed).each(func(_, _ []byte) error { n++; return nil }); err != nil {
				t.Fatal(err)
			}
			if n != runs {
				t.Fatalf("%d intervals are stored, %d are apart", n, runs)
			}
		})
	})
}

func clearBucket(b bucket) {
	for key, _ := b.b.Cursor().First(); key != nil; key, _ = b.b.Cursor().First() {
		if err := b.delete(slices.Clone(key)); err != nil {
			panic(err)
		}
	}
}

// TestIntervalsAtTheEnd uses the last times there are.
func TestIntervalsAtTheEnd(t *testing.T) {
	withSpace(t, func(sp *space) {
		last := dap.Interval{Start: lastTime - 1, Duration: 1}
		if err := errors.Join(sp.closeInterval(last), sp.take(last, holdCollected, [16]byte{})); err != nil {
			t.Fatal(err)
		}
		for _, test := range []struct {
			time dap.Time
			want bool
		}{{lastTime - 2, false}, {lastTime - 1, true}} {
			closed, err := sp.closedAt(test.time)
			if err != nil || closed != test.want {
				t.Errorf("time %d is closed: %t, %v", test.time, closed, err)
			}
			collected, err := sp.collectedAt(test.time)
			if err != nil || collected != test.want {
				t.Errorf("time %d is collected: %t, %v", test.time, collected, err)
			}
		}
	})
}

// TestGenerations gives reports times of many years in every order: each ID is found
// again, and the generations stay few.
func TestGenerations(t *testing.T) {
	const years = 60
	hours := dap.Time(years * 365 * 24)
	for name, next := range map[string]func(i, n int) dap.Time{
		"forward":  func(i, n int) dap.Time { return hours * dap.Time(i) / dap.Time(n) },
		"backward": func(i, n int) dap.Time { return hours * dap.Time(n-i) / dap.Time(n) },
		"mixed":    func(i, n int) dap.Time { return hours * dap.Time(i*7919%n) / dap.Time(n) },
		"extreme":  func(i, n int) dap.Time { return dap.Time(1) << (i % 64) },
	} {
		t.Run(name, func(t *testing.T) {
			withSpace(t, func(sp *space) {
				const n = 5000
				ids, err := sp.reportIDs()
				if err != nil {
					t.Fatal(err)
				}
				id := func(i int) (id dap.ReportID) {
					binary.BigEndian.PutUint64(id[8:], uint64(i))
					return id
				}
				for i := range n {
					key := id(i)
					if err := ids.insert(&key, idEntry{state: idOpen, time: next(i, n), sequence: uint64(i)}); err != nil {
						t.Fatal(err)
					}
				}
				if moved, err := ids.recent.flush(n); err != nil || moved != n || !ids.recent.empty() {
					t.Fatal(moved, err)
				}
				if most := 16 * 10; len(ids.generations) > most {
					t.Errorf("there are %d generations", len(ids.generations))
				}
				if !slices.IsSortedFunc(ids.generations, func(a, b generation) int { return bytes.Compare(be64(a.start), be64(b.start)) }) {
					t.Error("the generations are out of order")
				}
				delete(sp.t.spaces, string(sp.task[:])) // read them again
				again, err := sp.t.space(sp.task)
				if err != nil {
					t.Fatal(err)
				}
				if ids, err = again.reportIDs(); err != nil {
					t.Fatal(err)
				}
				for i := range n {
					key := id(i)
					entry, _, found, err := ids.find(&key)
					if err != nil || !found || entry.sequence != uint64(i) || entry.time != next(i, n) {
						t.Fatalf("ID %d: %+v, %t, %v", i, entry, found, err)
					}
				}
				t.Logf("%d generations", len(ids.generations))
			})
		})
	}
}

// TestGenerationsAreWeeks sees that the reports of a week share a generation, and those of another do not.
func TestGenerationsAreWeeks(t *testing.T) {
	for precision, width := range map[dap.TimePrecision]uint64{0: 1, 1: 604800, 3600: 168, 86400: 7, 100_000: 7, 604_800: 1, 1 << 40: 1} {
		if got := generationWidth(precision); got != width {
			t.Errorf("precision %d: width %d, not %d", precision, got, width)
		}
	}
	withSpace(t, func(sp *space) {
		ids, err := sp.reportIDs()
		if err != nil {
			t.Fatal(err)
		}
		for week := range dap.Time(10) {
			for hour := range dap.Time(168) {
				if _, err := ids.generationOf(1_000_000/168*168 + week*168 + hour); err != nil {
					t.Fatal(err)
				}
			}
		}
		if len(ids.generations) != 10 {
			t.Fatalf("ten weeks have %d generations", len(ids.generations))
		}
	})
}

// TestSequenceSet compares it with a map.
func TestSequenceSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s, plain := make(sequenceSet), make(map[uint64]bool)
		for range rapid.IntRange(1, 100).Draw(t, "n") {
			n := rapid.OneOf(rapid.Uint64Range(0, 300), rapid.Uint64Range(4000, 4200), rapid.Uint64()).Draw(t, "sequence")
			if s.add(n) == plain[n] {
				t.Fatalf("%d is new: %t", n, plain[n])
			}
			plain[n] = true
			if other := n ^ 1; s.has(other) != plain[other] || !s.has(n) {
				t.Fatalf("%d or %d is wrong", n, other)
			}
		}
	})
}

// FuzzRecords feeds bytes to every decoder of what a file holds. None may panic;
// what one accepts of a fixed layout encodes to the same bytes; of a CBOR record, to bytes that mean the same.
func FuzzRecords(f *testing.F) {
	for _, seed := range recordSeeds(f) {
		f.Add(seed)
		f.Add(seed[:len(seed)-1])
		f.Add(append(slices.Clone(seed), 0))
	}
	l, err := OpenLeader(filepath.Join(f.TempDir(), "leader.db"), checkKey, WithoutSync(Options{Create: true}))
	if err != nil {
		f.Fatal(err)
	}
	defer l.Close()
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, b []byte) {
		if e, err := decodeIDEntry(b); err == nil && !bytes.Equal(e.encode(), b) {
			t.Errorf("ID entry %x becomes %x", b, e.encode())
		}
		if e, err := decodeWaiting(b); err == nil && !bytes.Equal(e.encode(), b) {
			t.Errorf("waiting entry %x becomes %x", b, e.encode())
		}
		if m, err := decodeMembers(b); err == nil && !bytes.Equal(encodeMembers(m), b) {
			t.Errorf("members %x become %x", b, encodeMembers(m))
		}
		nowhere := bucket{name: "nowhere"}
		key := make([]byte, 8)
		if e, err := decodeTaken(nowhere, key, b); err == nil && !bytes.Equal(e.encode(), b) {
			t.Errorf("taken entry %x becomes %x", b, e.encode())
		}
		if c, err := decodeTimeCounts(nowhere, key, b); err == nil && len(b) != timeCountsLength {
			t.Errorf("time counts %x are %v", b, c)
		}
		for _, record := range recordKinds() {
			if decodeRecord(b, record) == nil {
				encoded := encodeRecord(record)
				if err := decodeRecord(encoded, record); err != nil || !bytes.Equal(encodeRecord(record), encoded) {
					t.Errorf("%T %x becomes %x", record, b, encoded)
				}
			}
		}
		fuzzMeanings(l, nowhere, b)
	})
}

// fuzzMeanings runs the decoders that look at what a record means.
func fuzzMeanings(l *Leader, b bucket, encoded []byte) {
	id := make([]byte, 16)
	l.decodeTask(b, make([]byte, 32), encoded)
	l.decodeHpkeKey(b, []byte{1}, encoded)
	l.decodePeering(b, []byte("name"), encoded)
	b.decodeBatchBucket(id, encoded)
	b.decodeBatch(make([]byte, 32), encoded)
	b.decodeJob(id, encoded)
	b.decodeClosed(make([]byte, 8), encoded)
	for _, mode := range []dap.BatchMode{dap.BatchModeTimeInterval, dap.BatchModeLeaderSelected} {
		sp := &space{mode: mode, subs: map[string]bucket{bucketCollections: b, bucketJobs: b, bucketShares: b}}
		sp.decodeCollection(id, encoded)
		sp.decodeHelperJob(id, encoded)
		sp.decodeShare(id, encoded)
	}
}

// recordSeeds reads one record of each kind from stores that have everything.
func recordSeeds(f *testing.F) (seeds [][]byte) {
	dir := f.TempDir()
	for _, role := range []dap.Role{dap.RoleLeader, dap.RoleHelper} {
		seeds = append(seeds, seedsOf(f, filepath.Join(dir, fmt.Sprint(role)), role)...)
	}
	return seeds
}

func seedsOf(f *testing.F, path string, role dap.Role) (seeds [][]byte) {
	var common *store
	var close func() error
	if role == dap.RoleLeader {
		l, err := OpenLeader(path, checkKey, WithoutSync(Options{Create: true}))
		if err != nil {
			f.Fatal(err)
		}
		fillLeader(f, l)
		common, close = &l.store, l.Close
	} else {
		h, err := OpenHelper(path, checkKey, WithoutSync(Options{Create: true}))
		if err != nil {
			f.Fatal(err)
		}
		fillHelper(f, h)
		common, close = &h.store, h.Close
	}
	defer close()
	err := common.view(f.Context(), func(tx *txn) error {
		for _, name := range []string{bucketMeta, bucketTasks, bucketHpkeKeys, bucketPeerings} {
			_, value := tx.top(name).b.Cursor().First()
			seeds = append(seeds, slices.Clone(value))
		}
		return tx.eachSpace(func(sp *space) error {
			seeds = append(seeds, slices.Clone(sp.root.get([]byte(keyCounters))))
			ids, err := sp.reportIDs()
			if err != nil {
				return err
			}
			buckets := []bucket{ids.recent.logs[0].entries(0)}
			names := leaderBuckets
			if role == dap.RoleHelper {
				names = helperBuckets
			}
			for _, name := range names {
				buckets = append(buckets, sp.sub(name))
			}
			for _, b := range buckets {
				if err := b.each(func(_, value []byte) error {
					if len(value) > 0 {
						seeds = append(seeds, slices.Clone(value))
					}
					return nil
				}); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		f.Fatal(err)
	}
	return seeds
}
