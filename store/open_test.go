package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/store"
	"github.com/twofold-dap/twofold/store/storetest"
)

// newLeader makes a Leader's database with a task and n waiting reports, and closes it.
func newLeader(t *testing.T, n, bodyLength int) (path string, task aggregator.Task) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "leader.db")
	l, err := store.OpenLeader(path, testKey, store.WithoutSync(store.Options{Create: true}))
	if err != nil {
		t.Fatal(err)
	}
	task = storetest.NewTask(dap.RoleLeader, "task", dap.BatchModeTimeInterval)
	if err := l.PutTask(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		report := aggregator.UploadReport{Time: dap.Time(i), Body: bytes.Repeat([]byte{byte(i)}, bodyLength)}
		report.ID[0], report.ID[1] = byte(i*91), byte(i)
		if _, err := l.Upload(t.Context(), task.ID, []aggregator.UploadReport{report}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return path, task
}

func open(path string) error {
	l, err := store.OpenLeader(path, testKey, store.Options{LockTimeout: 20 * time.Millisecond})
	if err != nil {
		return err
	}
	return l.Close()
}

func TestOpenErrors(t *testing.T) {
	write := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read := func(path string) []byte {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return content
	}
	for _, test := range []struct {
		name  string
		spoil func(path string) (open func() error)
		want  error
		text  string
	}{
		{"missing", func(path string) func() error {
			os.Remove(path)
			return nil
		}, store.ErrNoFile, "initialize"},
		{"missing directory", func(path string) func() error {
			return func() error {
				_, err := store.OpenLeader(filepath.Join(path+".d", "leader.db"), testKey, store.Options{Create: true})
				return err
			}
		}, store.ErrNoFile, ""},
		{"the other role's", func(path string) func() error {
			return func() error {
				_, err := store.OpenHelper(path, testKey, store.Options{})
				return err
			}
		}, store.ErrForeign, "it is that of a leader, not of a helper"},
		{"wrong key", func(path string) func() error {
			return func() error {
				key := bytes.Clone(testKey)
				key[0] ^= 1
				_, err := store.OpenLeader(path, key, store.Options{})
				return err
			}
		}, store.ErrWrongKey, "the key with which"},
		{"newer", func(path string) func() error {
			store.SetSchemaVersion(t, path, store.SchemaVersion+1)
			return nil
		}, store.ErrNewer, fmt.Sprintf("it has version %d, this program knows versions up to %d", store.SchemaVersion+1, store.SchemaVersion)},
		{"older", func(path string) func() error {
			store.SetSchemaVersion(t, path, 0)
			return nil
		}, store.ErrNewer, "it has version 0"},
		{"empty", func(path string) func() error {
			write(path, nil)
			return nil
		}, store.ErrNotStore, ""},
		{"text", func(path string) func() error {
			write(path, []byte("these are my notes\n"))
			return nil
		}, store.ErrNotStore, "was not changed"},
		{"long text", func(path string) func() error {
			write(path, bytes.Repeat([]byte("these are my notes\n"), 10_000))
			return nil
		}, store.ErrNotStore, ""},
		{"another program's", func(path string) func() error {
			os.Remove(path)
			db, err := bolt.Open(path, 0o600, nil)
			if err != nil {
				t.Fatal(err)
			}
			db.Update(func(tx *bolt.Tx) error {
				_, err := tx.CreateBucket([]byte("theirs"))
				return err
			})
			db.Close()
			return nil
		}, store.ErrNotStore, ""},
		{"directory", func(path string) func() error {
			os.Remove(path)
			os.Mkdir(path, 0o700)
			return nil
		}, store.ErrNotStore, ""},
		{"truncated", func(path string) func() error {
			write(path, read(path)[:3*4096])
			return nil
		}, store.ErrCorrupt, "restore it from a backup"},
		{"no header", func(path string) func() error {
			content := read(path)
			clear(content[:2*4096])
			write(path, content)
			return nil
		}, store.ErrNotStore, ""},
		{"damaged pages", func(path string) func() error {
			content := read(path)
			for i := 2 * 4096; i < len(content); i += 4096 {
				content[i+8] ^= 0xff
			}
			write(path, content)
			return nil
		}, store.ErrCorrupt, ""},
		{"locked", func(path string) func() error {
			l, err := store.OpenLeader(path, testKey, store.Options{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { l.Close() })
			return nil
		}, store.ErrLocked, "stop that process"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path, _ := newLeader(t, 50, 500)
			try := test.spoil(path)
			if try == nil {
				try = func() error { return open(path) }
			}
			info, statErr := os.Stat(path)
			err := try()
			var openError *store.OpenError
			if !errors.Is(err, test.want) || !errors.As(err, &openError) {
				t.Fatalf("got %v, want %v", err, test.want)
			}
			if !strings.Contains(err.Error(), filepath.Dir(path)) || !strings.Contains(err.Error(), test.text) || openError.Remedy == "" {
				t.Fatalf("the error says %q", err)
			}
			if statErr == nil && test.want != store.ErrLocked {
				if after, err := os.Stat(path); err != nil || after.Size() != info.Size() || !after.ModTime().Equal(info.ModTime()) {
					t.Fatal("the file was changed")
				}
			}
		})
	}
	if err := open(filepath.Join(t.TempDir(), "x")); !errors.Is(err, store.ErrNoFile) {
		t.Fatal("without Create a file was made")
	}
	for _, key := range []secret.Bytes{nil, testKey[:31], append(bytes.Clone(testKey), 1)} {
		_, err := store.OpenLeader(filepath.Join(t.TempDir(), "x"), key, store.Options{Create: true})
		if !errors.As(err, new(*store.InputError)) {
			t.Fatalf("a key of %d bytes: %v", len(key), err)
		}
	}
}

// TestLockedByProcess has another process hold the file.
func TestLockedByProcess(t *testing.T) {
	if path := os.Getenv("TWOFOLD_TEST_HOLD"); path != "" {
		l, err := store.OpenLeader(path, testKey, store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		fmt.Println("holding")
		os.Stdin.Read(make([]byte, 1))
		return
	}
	path, _ := newLeader(t, 1, 500)
	other := exec.Command(os.Args[0], "-test.run=^TestLockedByProcess$", "-test.v")
	other.Env = append(os.Environ(), "TWOFOLD_TEST_HOLD="+path)
	stdin, err := other.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := other.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	seen := make([]byte, 0, 1000)
	for buffer := make([]byte, 100); !bytes.Contains(seen, []byte("holding")); {
		n, err := stdout.Read(buffer)
		if seen = append(seen, buffer[:n]...); err != nil {
			t.Fatalf("the other process ended: %s", seen)
		}
	}
	if err := open(path); !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want ErrLocked", err)
	}
	// Killed as a server may be: the file is free and whole.
	if err := other.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	stdin.Close()
	other.Wait()
	if err := open(path); err != nil {
		t.Fatal(err)
	}
}

// TestDamagedFiles damages files at random. Opening one may succeed, when the damage
// hits what nothing refers to or the inside of a value; otherwise it is ErrCorrupt
// or the like. What opens can be checked. Nothing may bring the process down.
func TestDamagedFiles(t *testing.T) {
	path, _ := newLeader(t, 200, 1)
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	used := store.UsedBytes(t, path)
	damaged := filepath.Join(t.TempDir(), "damaged.db")
	outcomes := make(map[string]int)
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 1))
		spoilt := bytes.Clone(content)
		at := 2*4096 + random.IntN(used-3*4096)
		if random.IntN(2) == 0 {
			at -= at % 4096 // a page's header
		}
		for i := range 1 + random.IntN(32) {
			spoilt[at+i] = byte(random.Uint32())
		}
		if err := os.WriteFile(damaged, spoilt, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := store.OpenLeader(damaged, testKey, store.WithoutSync(store.Options{}))
		if err != nil {
			if !errors.Is(err, store.ErrCorrupt) && !errors.Is(err, store.ErrNotStore) && !errors.Is(err, store.ErrWrongKey) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			outcomes["refused"]++
			continue
		}
		violations, err := l.Check(t.Context())
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		if len(violations) > 0 {
			outcomes["found"]++
		} else {
			outcomes["harmless"]++
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if outcomes["refused"] < 10 || outcomes["harmless"] < 10 {
		t.Errorf("outcomes are %v", outcomes)
	}
	t.Log(outcomes)
}

// TestNoSecretsInTheFile looks for every secret in the bytes of the file, and in what is printed.
func TestNoSecretsInTheFile(t *testing.T) {
	path, task := newLeader(t, 1, 500)
	l, err := store.OpenLeader(path, testKey, store.WithoutSync(store.Options{}))
	if err != nil {
		t.Fatal(err)
	}
	keypair, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	private, err := keypair.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	peering := aggregator.Peering{Name: "peer", VerifyKeyInit: secret.Bytes("the secret of the two operators"), Token: secret.Bytes("the bearer token of the peering")}
	if err := errors.Join(l.PutHpkeKey(t.Context(), aggregator.HpkeKey{Keypair: keypair}), l.PutPeering(t.Context(), peering), l.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(content, keypair.Config.PublicKey) || !bytes.Contains(content, []byte("peer")) {
		t.Fatal("the file does not hold what is public; this test looks at the wrong bytes")
	}
	for name, value := range map[string][]byte{
		"verification key": task.VerifyKey, "Helper's token": task.HelperToken, "private key": private,
		"verify_key_init": peering.VerifyKeyInit, "token": peering.Token, "sealing key": testKey,
	} {
		if bytes.Contains(content, value) {
			t.Errorf("the %s stands in the file", name)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file's mode is %v", info.Mode())
	}
}
