package operator

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/taskfile"
	"github.com/twofold-dap/twofold/internal/vdafspec"
)

// directory makes a directory with a short path, for its socket.
func directory(t *testing.T, role dap.Role, change func(*InitOptions)) *Directory {
	t.Helper()
	parent, err := os.MkdirTemp("", "tf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(parent) })
	options := InitOptions{Role: role, URL: "http://127.0.0.1:1/" + role.String(), Listen: "127.0.0.1:0"}
	if change != nil {
		change(&options)
	}
	d, err := Init(t.Context(), filepath.Join(parent, "d"), options)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func connect(t *testing.T, d *Directory) api.OperatorService {
	t.Helper()
	service, closeService, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := closeService(); err != nil {
			t.Error(err)
		}
	})
	return service
}

func TestInit(t *testing.T) {
	d := directory(t, dap.RoleLeader, func(o *InitOptions) { o.PostQuantum = true })
	info, err := os.Stat(d.path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory's mode: %v, %v", info.Mode(), err)
	}
	for _, name := range []string{configFile, keyFile, "leader.db"} {
		info, err := os.Stat(d.file(name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	opened, err := OpenDirectory(d.path, dap.RoleLeader)
	if err != nil || opened.Config != d.Config {
		t.Errorf("got %+v, %v", opened, err)
	}
	status, err := connect(t, opened).Status(t.Context())
	if err != nil || len(status.HpkeKeys) != 2 || status.HpkeKeys[0].Suite != "xwing-sha256-aes128gcm" || status.HpkeKeys[1].Suite != "x25519-sha256-aes128gcm" {
		t.Errorf("got %+v, %v", status, err)
	}
}

func TestInitLeavesNothingBehind(t *testing.T) {
	t.Setenv(KeyVariable, "not a key")
	path := filepath.Join(t.TempDir(), "d")
	options := InitOptions{Role: dap.RoleHelper, URL: "http://127.0.0.1:1/", Listen: "127.0.0.1:0"}
	if _, err := Init(t.Context(), path, options); err == nil {
		t.Fatal("no error")
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it left a directory: %v", err)
	}
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(t.Context(), path, options); err == nil {
		t.Fatal("no error")
	}
	if entries, err := os.ReadDir(path); err != nil || len(entries) != 0 {
		t.Errorf("it left %v, %v", entries, err)
	}
	t.Setenv(KeyVariable, strings.Repeat("A", 43))
	if _, err := Init(t.Context(), path, options); err != nil {
		t.Errorf("an empty directory was not taken: %v", err)
	}
	if _, err := os.Stat(filepath.Join(path, keyFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a key file: %v", err)
	}
	_, err := Init(t.Context(), path, options)
	if inUse, ok := errors.AsType[*InUseError](err); !ok || !inUse.Initialized {
		t.Errorf("got %v", err)
	}
}

// Of several inits of one directory one makes it, and no other takes anything away from it.
func TestInitAtOnce(t *testing.T) {
	options := InitOptions{Role: dap.RoleLeader, URL: "http://127.0.0.1:1/", Listen: "127.0.0.1:0"}
	for _, exists := range []bool{false, true} {
		path := filepath.Join(t.TempDir(), "d")
		if exists {
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		var wait sync.WaitGroup
		var made atomic.Int32
		for range 8 {
			wait.Go(func() {
				_, err := Init(t.Context(), path, options)
				if err == nil {
					made.Add(1)
				} else if _, ok := errors.AsType[*InUseError](err); !ok {
					t.Errorf("got %v, want an *InUseError", err)
				}
			})
		}
		wait.Wait()
		if made.Load() != 1 {
			t.Errorf("it was made %d times", made.Load())
		}
		d, err := OpenDirectory(path, dap.RoleLeader)
		if err != nil {
			t.Fatal(err)
		}
		if status, err := connect(t, d).Status(t.Context()); err != nil || len(status.HpkeKeys) != 1 {
			t.Errorf("got %+v, %v", status, err)
		}
		if _, err := os.Stat(filepath.Join(path, claimFile)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the claim is there: %v", err)
		}
	}
}

func TestInitAfterAnInterruptedOne(t *testing.T) {
	path := t.TempDir()
	for _, name := range []string{claimFile, keyFile} {
		if err := os.WriteFile(filepath.Join(path, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Init(t.Context(), path, InitOptions{Role: dap.RoleLeader, URL: "http://127.0.0.1:1/", Listen: "127.0.0.1:0"})
		if inUse, ok := errors.AsType[*InUseError](err); !ok || !inUse.Unfinished || inUse.Initialized {
			t.Errorf("got %v", err)
		}
		if _, err := os.Stat(filepath.Join(path, name)); err != nil {
			t.Errorf("something was removed: %v", err)
		}
	}
	if _, err := OpenDirectory(path, dap.RoleLeader); err == nil {
		t.Error("it was opened")
	}
}

func TestOpenDirectoryErrors(t *testing.T) {
	_, err := OpenDirectory(filepath.Join(t.TempDir(), "none"), dap.RoleLeader)
	if _, ok := errors.AsType[*NotInitializedError](err); !ok {
		t.Errorf("got %v", err)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = OpenDirectory(file, dap.RoleLeader)
	if _, ok := errors.AsType[*NotInitializedError](err); !ok {
		t.Errorf("got %v", err)
	}
	d := directory(t, dap.RoleHelper, nil)
	_, err = OpenDirectory(d.path, dap.RoleLeader)
	if wrong, ok := errors.AsType[*WrongRoleError](err); !ok || wrong.Role != dap.RoleHelper {
		t.Errorf("got %v", err)
	}
}

// newTask makes a task between the two directories.
func newTask(t testing.TB, leader, helper *Directory, change func(*taskfile.Draft)) []byte {
	t.Helper()
	keypair, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	spec, err := vdafspec.Parse("count")
	if err != nil {
		t.Fatal(err)
	}
	draft := taskfile.Draft{
		Name: "test", Leader: leader.Config.URL, Helper: helper.Config.URL, Spec: spec, TimePrecision: time.Hour,
		MinBatchSize: 10, BatchMode: dap.BatchModeTimeInterval, CollectorHpkeConfig: keypair.Config,
	}
	if change != nil {
		change(&draft)
	}
	file, err := taskfile.New(draft)
	if err != nil {
		t.Fatal(err)
	}
	text, err := file.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestPairedTasks checks that both sides derive the same from one invitation.
func TestPairedTasks(t *testing.T) {
	helper, leader := directory(t, dap.RoleHelper, nil), directory(t, dap.RoleLeader, nil)
	h, l := connect(t, helper), connect(t, leader)
	for range 3 { // earlier invitations do not get in the way of the one that names the leader
		if _, err := h.Invite(t.Context(), api.InviteRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	invited, err := h.Invite(t.Context(), api.InviteRequest{Leader: leader.Config.URL})
	if err != nil {
		t.Fatal(err)
	}
	first, err := l.Pair(t.Context(), api.PairRequest{Invitation: invited.Invitation})
	if err != nil {
		t.Fatal(err)
	}
	again, err := l.Pair(t.Context(), api.PairRequest{Invitation: invited.Invitation, Name: "another"})
	if err != nil || again != first {
		t.Errorf("pairing again gives %+v, %v", again, err)
	}
	file := newTask(t, leader, helper, nil)
	if _, err := h.AddTask(t.Context(), api.AddTaskRequest{File: file}); err != nil {
		t.Fatal(err)
	}
	added, err := l.AddTask(t.Context(), api.AddTaskRequest{File: file})
	if err != nil || added.CollectorToken == "" || added.Existed {
		t.Fatalf("got %+v, %v", added, err)
	}
	if again, err := l.AddTask(t.Context(), api.AddTaskRequest{File: file}); err != nil || !again.Existed || again.CollectorToken != added.CollectorToken {
		t.Errorf("adding it again gives %+v, %v", again, err)
	}
	if again, err := l.AddTask(t.Context(), api.AddTaskRequest{File: file, Token: "a-token-of-my-own-choice"}); err != nil || !again.Existed || again.CollectorToken != "" {
		t.Errorf("with another token: %+v, %v", again, err)
	}

	leaderTasks, err := l.(*service).local.engine.Tasks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	helperTasks, err := h.(*service).local.engine.Tasks(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	lt, ht := leaderTasks[0], helperTasks[0]
	if !lt.VerifyKey.Equal(ht.VerifyKey) || len(lt.VerifyKey) != 32 || lt.ID != ht.ID {
		t.Error("the verification keys differ")
	}
	if len(ht.HelperToken) != 0 || ht.CollectorTokenHash != [32]byte{} || lt.LeaderTokenHash != [32]byte{} {
		t.Error("a role has a token that is not its own")
	}
	if err := authorizes(ht.LeaderTokenHash, string([]byte(lt.HelperToken))); err != nil {
		t.Error(err)
	}
	if err := authorizes(lt.CollectorTokenHash, string(added.CollectorToken)); err != nil {
		t.Error(err)
	}
}

func TestServiceErrors(t *testing.T) {
	helper, leader := directory(t, dap.RoleHelper, nil), directory(t, dap.RoleLeader, nil)
	h, l := connect(t, helper), connect(t, leader)
	check := func(name string, kind api.OperatorErrorKind, err error) {
		t.Helper()
		if problem, ok := errors.AsType[*api.OperatorError](err); !ok || problem.Kind != kind {
			t.Errorf("%s: got %v", name, err)
		}
	}
	add := func(s api.OperatorService, request api.AddTaskRequest) error {
		_, err := s.AddTask(t.Context(), request)
		return err
	}
	_, err := l.Invite(t.Context(), api.InviteRequest{})
	check("a leader invites", api.OperatorInvalid, err)
	_, err = h.Pair(t.Context(), api.PairRequest{})
	check("a helper pairs", api.OperatorInvalid, err)
	_, err = h.Invite(t.Context(), api.InviteRequest{Leader: "leader"})
	check("no URL", api.OperatorInvalid, err)
	_, err = h.Invite(t.Context(), api.InviteRequest{Name: "a\nb"})
	check("a name of two lines", api.OperatorInvalid, err)
	_, err = l.RotateHpkeKey(t.Context(), api.RotateHpkeKeyRequest{Suite: "x"})
	check("no suite", api.OperatorInvalid, err)
	plain, err := NewInvitation("http://helper.example/").Encode()
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Pair(t.Context(), api.PairRequest{Invitation: api.OperatorSecret(plain)})
	check("plain http", api.OperatorInvalid, err)

	file := newTask(t, leader, helper, nil)
	check("no file", api.OperatorInvalid, add(h, api.AddTaskRequest{File: []byte("x")}))
	check("no peering", api.OperatorNotFound, add(h, api.AddTaskRequest{File: file}))
	check("no such peer", api.OperatorNotFound, add(h, api.AddTaskRequest{File: file, Peer: "x"}))
	check("a token at a helper", api.OperatorInvalid, add(h, api.AddTaskRequest{File: file, Token: "a-token-of-my-own-choice"}))
	check("a short token", api.OperatorInvalid, add(l, api.AddTaskRequest{File: file, Token: "short"}))
	check("a key for a derived task", api.OperatorInvalid, add(l, api.AddTaskRequest{File: file, VerifyKey: "00"}))
	own := newTask(t, leader, helper, func(d *taskfile.Draft) { d.OwnID = true })
	check("no key", api.OperatorInvalid, add(l, api.AddTaskRequest{File: own}))
	check("not hexadecimal", api.OperatorInvalid, add(l, api.AddTaskRequest{File: own, VerifyKey: "xyz", PeerToken: "a-token-between-the-two"}))
	check("a short key", api.OperatorInvalid, add(l, api.AddTaskRequest{File: own, VerifyKey: "00", PeerToken: "a-token-between-the-two"}))
	over := newTask(t, leader, helper, func(d *taskfile.Draft) {
		d.Start, d.Duration = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), time.Hour
	})
	check("over", api.OperatorInvalid, add(l, api.AddTaskRequest{File: over}))
	invited, err := h.Invite(t.Context(), api.InviteRequest{Leader: "https://other.example/", Name: "other"})
	if err != nil {
		t.Fatal(err)
	}
	check("another leader's peering", api.OperatorInvalid, add(h, api.AddTaskRequest{File: file, Peer: invited.Peer.Name}))
	status, err := h.Status(t.Context())
	if err != nil || len(status.Tasks) != 0 {
		t.Errorf("got %+v, %v", status, err)
	}
}

func TestServe(t *testing.T) {
	d := directory(t, dap.RoleHelper, nil)
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	go func() {
		ended <- d.Serve(ctx, ServeOptions{Log: io.Discard, Ready: func(a net.Addr) { ready <- a }})
	}()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	service, closeService, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := service.(*api.OperatorClient); !ok {
		t.Errorf("a running server is operated by a %T", service)
	}
	status, err := service.Status(t.Context())
	if err != nil || status.Listening == "" || status.StartedAt == nil {
		t.Errorf("got %+v, %v", status, err)
	}
	if err := closeService(); err != nil {
		t.Error(err)
	}
	if err := d.Serve(t.Context(), ServeOptions{Log: io.Discard}); err == nil {
		t.Error("two servers run in one directory")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if status, err := connect(t, d).Status(t.Context()); err != nil || status.Listening != "" {
		t.Errorf("afterwards: %+v, %v", status, err)
	}
}

func TestServeFailsWhenAPartFails(t *testing.T) {
	broken := errors.New("broken")
	stopped := false
	err := runTogether(t.Context(), map[string]func(context.Context) error{
		"good": func(ctx context.Context) error { <-ctx.Done(); stopped = true; return nil },
		"bad":  func(context.Context) error { return broken },
	})
	if !errors.Is(err, broken) || !stopped {
		t.Errorf("got %v, stopped %v", err, stopped)
	}
	if err := runTogether(t.Context(), map[string]func(context.Context) error{"x": func(context.Context) error { return nil }}); err == nil {
		t.Error("a part that ends by itself is no error")
	}
}

func authorizes(hash [32]byte, token string) error {
	if sha256.Sum256([]byte(token)) != hash {
		return errors.New("the token is not the one of the hash")
	}
	return nil
}
