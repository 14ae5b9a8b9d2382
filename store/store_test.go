package store_test

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

// TestMain makes rapid run fewer checks than it would, unless it is told how many.
func TestMain(m *testing.M) {
	flag.Parse()
	chosen := false
	flag.Visit(func(f *flag.Flag) { chosen = chosen || f.Name == "rapid.checks" })
	if !chosen {
		if err := flag.Set("rapid.checks", "40"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

var testKey = secret.Bytes("0123456789abcdef0123456789abcdef")

func TestContractLeader(t *testing.T) {
	storetest.RunLeader(t, func(t testing.TB) storetest.Fixture[aggregator.LeaderStore] {
		return fixture(t, func(path string, options store.Options) (aggregator.LeaderStore, error) {
			return store.OpenLeader(path, testKey, options)
		})
	})
}

func TestContractHelper(t *testing.T) {
	storetest.RunHelper(t, func(t testing.TB) storetest.Fixture[aggregator.HelperStore] {
		return fixture(t, func(path string, options store.Options) (aggregator.HelperStore, error) {
			return store.OpenHelper(path, testKey, options)
		})
	})
}

var errInjected = errors.New("injected")

// fixture makes a store in a directory of its own.
func fixture[S aggregator.Store](t testing.TB, open func(string, store.Options) (S, error)) storetest.Fixture[S] {
	dir, err := os.MkdirTemp(t.TempDir(), "store")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "store.db")
	var fault atomic.Int32
	options := store.WithoutSync(store.Options{Create: true, CommitHook: func(stage store.CommitStage) error {
		switch {
		case stage == store.BeforeCommit && storetest.Fault(fault.Load()) == storetest.FailBefore,
			stage == store.AfterCommit && storetest.Fault(fault.Load()) == storetest.FailAfter:
			return errInjected
		}
		return nil
	}})
	var current S
	reopen := func() S {
		t.Helper()
		if current, err = open(path, options); err != nil {
			t.Fatal(err)
		}
		return current
	}
	reopen()
	t.Cleanup(func() { current.Close() })
	return storetest.Fixture[S]{
		Store: current,
		Reopen: func() S {
			if err := current.Close(); err != nil {
				t.Fatal(err)
			}
			return reopen()
		},
		Crash: func() S {
			// What a killed process leaves is what the file holds at that moment.
			copyFile(t, path, path+".copy")
			if err := current.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(path+".copy", path); err != nil {
				t.Fatal(err)
			}
			return reopen()
		},
		Fail: func(f storetest.Fault) { fault.Store(int32(f)) },
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
}
