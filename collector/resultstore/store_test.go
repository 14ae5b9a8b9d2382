package resultstore

import (
	"bytes"
	"context"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
)

var (
	testKey = secret.Bytes("a key of exactly thirty-two byte")
	epoch   = time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC)
)

func open(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(path, testKey, Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// withTask returns a store with a task.
func withTask(t *testing.T) (*Store, dap.TaskID, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "collector.db")
	s, id := open(t, path), dap.NewTaskID()
	delay := 90 * time.Second
	task := service.StoredTask{ID: id, File: []byte("file"), Schedule: service.Schedule{Every: service.EveryHour, Delay: &delay}, AddedAt: epoch}
	for i, want := range []bool{true, false} {
		if added, err := s.PutTask(t.Context(), task); added != want || err != nil {
			t.Fatalf("put %d: %v, %v", i, added, err)
		}
	}
	return s, id, path
}

func hours(id dap.TaskID, from, to int) service.Collection {
	return service.Collection{Task: id, Start: epoch.Add(time.Duration(from) * time.Hour), End: epoch.Add(time.Duration(to) * time.Hour), CreatedAt: epoch}
}

func result(id dap.TaskID, number uint64) service.Result {
	f, low := 1.5, -4.0
	n, _ := new(big.Int).SetString("-123456789012345678901234567890", 10)
	return service.Result{
		Task: id, Number: number, Start: epoch, End: epoch.Add(time.Hour), FirstReport: epoch, LastReport: epoch.Add(time.Minute), ReportCount: 12, CollectedAt: epoch.Add(2 * time.Hour),
		Values: []service.Value{{Label: "a", Number: n, StandardError: &f, Low: &low, High: &f}, {Label: "b", Number: big.NewInt(7)}},
	}
}

func TestTasks(t *testing.T) {
	s, id, path := withTask(t)
	if err := s.SetToken(t.Context(), id, secret.Bytes("the-leaders-token")); err != nil {
		t.Fatal(err)
	}
	if err := s.SetSchedule(t.Context(), id, service.Schedule{Every: service.EveryDay}); err != nil {
		t.Fatal(err)
	}
	other := dap.NewTaskID()
	if _, err := s.PutTask(t.Context(), service.StoredTask{ID: other, AddedAt: epoch}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil || bytes.Contains(file, []byte("the-leaders-token")) {
		t.Errorf("the token stands in the file as it is (%v)", err)
	}
	s = open(t, path)
	tasks, err := s.Tasks(t.Context())
	if err != nil || len(tasks) != 2 || tasks[0].ID != id || tasks[1].ID != other {
		t.Fatalf("got %v, %v", tasks, err)
	}
	got := tasks[0]
	if string([]byte(got.Token)) != "the-leaders-token" || got.Schedule.Every != service.EveryDay || got.Schedule.Delay != nil || !got.AddedAt.Equal(epoch) || string(got.File) != "file" {
		t.Errorf("got %+v", got)
	}
	if _, err := s.Task(t.Context(), dap.NewTaskID()); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("an unknown task: %v", err)
	}
	if err := s.SetToken(t.Context(), dap.NewTaskID(), nil); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("the token of an unknown task: %v", err)
	}
}

func TestIntervalsDoNotOverlap(t *testing.T) {
	s, id, _ := withTask(t)
	intend := func(from, to int) (service.Collection, error) { return s.Intend(t.Context(), hours(id, from, to)) }
	for _, c := range [][2]int{{4, 6}, {0, 2}, {2, 3}, {8, 9}} {
		if _, err := intend(c[0], c[1]); err != nil {
			t.Fatalf("%v: %v", c, err)
		}
	}
	for _, c := range []struct {
		from, to int
		number   uint64
	}{{4, 6, 1}, {5, 6, 1}, {3, 5, 1}, {0, 1, 2}, {1, 9, 4}, {2, 4, 3}, {8, 20, 4}} {
		_, err := intend(c.from, c.to)
		overlap := new(service.OverlapError)
		if !errors.As(err, &overlap) || overlap.Number != c.number {
			t.Errorf("%v: %v", c, err)
		}
	}
	taken, err := s.Taken(t.Context(), id)
	if err != nil || len(taken) != 4 || !taken[0].Start.Equal(epoch) || !taken[3].End.Equal(epoch.Add(9*time.Hour)) {
		t.Errorf("taken %v, %v", taken, err)
	}
	// What has failed frees its interval, and only its own.
	if err := s.Fail(t.Context(), id, 1, service.ReasonOverlap, "why", epoch, false); err != nil {
		t.Fatal(err)
	}
	if c, err := intend(3, 5); err != nil || c.Number != 5 {
		t.Errorf("after the failure: %+v, %v", c, err)
	}
	if err := s.Conclude(t.Context(), id, 1); err != nil {
		t.Fatal(err)
	}
	if _, err := intend(4, 5); err == nil {
		t.Error("an interval was freed by another's collection")
	}
}

func TestCollection(t *testing.T) {
	s, id, path := withTask(t)
	ctx := t.Context()
	c, err := s.Intend(ctx, service.Collection{Task: id, CreatedAt: epoch, ByHand: true})
	if err != nil || c.Number != 1 || c.State != service.CollectionIntended {
		t.Fatalf("got %+v, %v", c, err)
	}
	if _, err := s.Intend(ctx, service.Collection{Task: id, CreatedAt: epoch}); !errors.As(err, new(*service.OverlapError)) {
		t.Errorf("another while one is open: %v", err)
	}
	if err := s.Finish(ctx, id, 1, result(id, 1)); !errors.Is(err, service.ErrState) {
		t.Errorf("a result before it was asked for: %v", err)
	}
	steps := []error{
		s.Attempted(ctx, id, 1, 3, "no answer", epoch.Add(time.Minute)), s.Asked(ctx, id, 1, "https://leader.example/1"),
		s.Finish(ctx, id, 1, result(id, 1)), s.Finish(ctx, id, 1, result(id, 1)),
	}
	for i, err := range steps {
		if err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
	if err := s.Fail(ctx, id, 1, service.ReasonRefused, "", epoch, true); !errors.Is(err, service.ErrState) {
		t.Errorf("failing what has a result: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, path)
	want := result(id, 1)
	got, err := s.Collection(ctx, id, 1)
	if err != nil || got.State != service.CollectionStored || !got.ByHand || got.JobURL != "https://leader.example/1" || !reflect.DeepEqual(*got.Result, want) {
		t.Errorf("got %+v, %v, want the result %+v", got, err, want)
	}
	if openNow, err := s.OpenCollections(ctx, id); err != nil || len(openNow) != 1 {
		t.Errorf("open: %v, %v", openNow, err)
	}
	if err := s.Conclude(ctx, id, 1); err != nil {
		t.Fatal(err)
	}
	if openNow, err := s.OpenCollections(ctx, id); err != nil || len(openNow) != 0 {
		t.Errorf("open: %v, %v", openNow, err)
	}
	// The job of another collection gives no second result.
	if _, err = s.Intend(ctx, service.Collection{Task: id, CreatedAt: epoch}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Asked(ctx, id, 2, "https://leader.example/1")); err != nil {
		t.Fatal(err)
	}
	if err := s.Finish(ctx, id, 2, result(id, 2)); !errors.Is(err, service.ErrSameJob) {
		t.Errorf("the same job's result again: %v", err)
	}
	if err := s.Fail(ctx, id, 2, service.ReasonRefused, "why", epoch, true); err != nil {
		t.Fatal(err)
	}
	summary, err := s.Summary(ctx, id)
	if err != nil || summary.Results != 1 || summary.Latest == nil || summary.Latest.Number != 1 || summary.FailedInARow != 1 || summary.Last.Number != 2 {
		t.Errorf("summary %+v, %v", summary, err)
	}
	if _, err := s.Collection(ctx, id, 9); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("an unknown collection: %v", err)
	}
}

func TestFilter(t *testing.T) {
	s, id, _ := withTask(t)
	for i := range 5 {
		if _, err := s.Intend(t.Context(), hours(id, i, i+1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		filter service.Filter
		want   []uint64
	}{
		{service.Filter{}, []uint64{5, 4, 3, 2, 1}},
		{service.Filter{Limit: 2}, []uint64{5, 4}},
		{service.Filter{From: epoch.Add(time.Hour), To: epoch.Add(3 * time.Hour)}, []uint64{3, 2}},
		{service.Filter{From: epoch.Add(10 * time.Hour)}, nil},
	} {
		all, err := s.Collections(t.Context(), id, c.filter)
		var got []uint64
		for i := range all {
			got = append(got, all[i].Number)
		}
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: %v, %v", c.filter, got, err)
		}
	}
}

func TestAnalystTokens(t *testing.T) {
	s, _, _ := withTask(t)
	token := service.StoredToken{Name: "ann", Scope: service.ScopeCollect, Digest: [32]byte{1, 2}, CreatedAt: epoch}
	if err := s.PutAnalystToken(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := s.PutAnalystToken(t.Context(), token); !errors.Is(err, service.ErrExists) {
		t.Errorf("again: %v", err)
	}
	if all, err := s.AnalystTokens(t.Context()); err != nil || len(all) != 1 || all[0] != token {
		t.Errorf("got %+v, %v", all, err)
	}
	if err := s.DeleteAnalystToken(t.Context(), "ann"); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteAnalystToken(t.Context(), "ann"); !errors.Is(err, service.ErrNotFound) {
		t.Errorf("again: %v", err)
	}
}

func TestOpenErrors(t *testing.T) {
	s, _, path := withTask(t)
	fails := func(name string, key secret.Bytes, want error) {
		t.Helper()
		other, err := Open(path, key, Options{LockTimeout: time.Millisecond})
		if err == nil {
			_ = other.Close()
		}
		if openErr := new(OpenError); !errors.As(err, &openErr) || !errors.Is(err, want) || openErr.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	fails("open twice", testKey, ErrLocked)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	fails("another key", secret.Bytes("b key of exactly thirty-two byte"), ErrWrongKey)
	change := func(f func(tx *bolt.Tx) error) {
		t.Helper()
		db, err := bolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(db.Update(f), db.Close()); err != nil {
			t.Fatal(err)
		}
	}
	change(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte(bucketMeta)).Put([]byte(keySchema), encodeRecord(schemaRecord{Magic: schemaMagic, Version: SchemaVersion + 1}))
	})
	fails("a newer version", testKey, ErrNewer)
	change(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(bucketMeta)) })
	fails("another's database", testKey, ErrNotStore)
	if err := os.WriteFile(path, bytes.Repeat([]byte("x"), 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	fails("no database", testKey, ErrNotStore)
}

func TestDamagedRecord(t *testing.T) {
	s, id, _ := withTask(t)
	if err := s.db.Update(func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketTasks)).Put(id[:], []byte{0xa1, 1}) }); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Task(t.Context(), id); !errors.As(err, new(*RecordError)) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Tasks(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end of the context: %v", err)
	}
}
