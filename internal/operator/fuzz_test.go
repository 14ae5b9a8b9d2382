package operator

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/base64url"
	"github.com/twofold-dap/twofold/internal/fuzzing"
	"github.com/twofold-dap/twofold/internal/taskfile"
)

// A key that is read is 32 bytes, and the error of another text does not hold it.
func FuzzParseRootKey(f *testing.F) {
	_, text := newRootKey()
	f.Add(string(text))
	f.Add(" AAAA\r\n")
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		key, err := parseRootKey("key", text)
		if err != nil {
			if _, ok := errors.AsType[*KeyError](err); !ok || len(err.Error()) > 200 {
				t.Fatalf("error of type %T: %v", err, err)
			}
			return
		}
		if len(key.secret) != keyLength {
			t.Fatalf("a key of %d bytes", len(key.secret))
		}
	})
}

// A suite that is read is written as it was read.
func FuzzParseSuite(f *testing.F) {
	f.Add("x25519-sha256-aes128gcm")
	f.Add("xwing-sha512-chacha20poly1305")
	f.Add("0x0020-sha256-aes128gcm")
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		suite, err := parseSuite(text)
		if again := suiteName(suite.KemID, suite.KdfID, suite.AeadID); err == nil && again != text {
			t.Fatalf("%q is read, and written %q", text, again)
		}
	})
}

// operatorRequests are requests as the commands send them.
func operatorRequests(t testing.TB, leader, helper *Directory) []any {
	t.Helper()
	invitation, err := NewInvitation(helper.Config.URL).Encode()
	if err != nil {
		t.Fatal(err)
	}
	keypair, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	config, err := keypair.Config.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return []any{
		&api.AddTaskRequest{File: newTask(t, leader, helper, func(*taskfile.Draft) {}), Peer: "p", Token: "token"},
		&api.AddTaskRequest{File: newTask(t, leader, helper, func(d *taskfile.Draft) { d.OwnID = true }), VerifyKey: api.OperatorSecret(fmt.Sprintf("%064x", 7)), VerifyKeyID: 2, PeerToken: "other-token"},
		&api.RotateHpkeKeyRequest{Suite: "x25519-sha256-aes128gcm"},
		&api.InviteRequest{Name: "q", Leader: leader.Config.URL},
		&api.PairRequest{Invitation: api.OperatorSecret(invitation), Name: "r"},
		&api.OptInRequest{Peer: "p", CollectorHpkeConfig: config, MinBatchSize: 10},
		&api.OptInRequest{Peer: "p", Off: true},
		&api.JobsRequest{Task: dap.NewTaskID().String(), Finished: true},
		&api.JobRequest{ID: dap.NewAggregationJobID().String()},
		&api.JobRequest{ID: dap.NewAggregationJobID().String()},
		&api.JobRequest{ID: dap.NewAggregationJobID().String()},
	}
}

var operatorPaths = []string{"/tasks", "/tasks", "/hpke_keys", "/invitations", "/peers", "/opt_ins", "/opt_ins", "/jobs/list", "/jobs/show", "/jobs/retry", "/jobs/quarantine", "/status", "/check", "/peers", "/health", "/metrics", "/backup"}

// FuzzOperatorHandler sends the operator's handlers what the commands send, changed
// field by field and byte by byte. Only the operator's own files can make them fail.
func FuzzOperatorHandler(f *testing.F) {
	o := &operated{}
	o.begin(f)
	defer func() { o.end(f) }()
	for i := range byte(len(operatorPaths)) {
		f.Add([]byte{0, i})
		f.Add([]byte{1, i})
		f.Add([]byte{0, i, 1, 2, 9, 1, 0, 0})
		f.Add([]byte{1, i, 0, 2, 40, 1, 3, 60, 2})
		f.Add([]byte{1, i, 3, 1, 5, 0, 99, 2, 1, 0, 0, 7, 4})
	}
	// Almost all of what is allocated is for making new directories now and then.
	fuzzing.Run(f, fuzzing.Limit{Fixed: 64 << 20}, func(t testing.TB, script []byte) {
		if o.requests++; o.requests > 300 {
			o.end(t)
			o.begin(t)
		}
		s := fuzzing.NewScript(script)
		handler, path := o.handlers[s.Choose(2)], s.Choose(len(operatorPaths))
		raw := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: operator\r\n\r\n", operatorPaths[path])
		if path < len(o.valid) {
			raw = encodeOperatorRequest(t, s, operatorPaths[path], o.valid[path])
		}
		for range s.Byte() & 3 {
			raw = s.EditBytes(raw)
		}
		request, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		if err != nil {
			return
		}
		answer := httptest.NewRecorder()
		fuzzing.Bounded(t, fuzzing.Limit{Fixed: 8 << 20, Multiple: 128}, len(raw), func() { handler.ServeHTTP(answer, request) })
		if answer.Code != http.StatusOK && (answer.Code < 400 || answer.Code > 499) {
			t.Fatalf("%s %s: status %d: %s", request.Method, request.URL.Path, answer.Code, answer.Body)
		}
		isBackup := answer.Header().Get("Content-Type") == "application/octet-stream"
		if !isBackup && !json.Valid(answer.Body.Bytes()) && request.Method != http.MethodHead {
			t.Fatalf("%s %s: %q is not JSON", request.Method, request.URL.Path, answer.Body)
		}
	})
}

// operated is a Leader's and a Helper's directory, whose services answer requests. They are
// made anew now and then, so that their databases stay small.
type operated struct {
	parent   string
	handlers []http.Handler
	valid    []any
	close    []func() error
	requests int
}

func (o *operated) begin(t testing.TB) {
	t.Helper()
	*o = operated{}
	var err error
	if o.parent, err = os.MkdirTemp("", "tf"); err != nil {
		t.Fatal(err)
	}
	var directories []*Directory
	for _, role := range []dap.Role{dap.RoleLeader, dap.RoleHelper} {
		options := InitOptions{Role: role, URL: "http://127.0.0.1:1/" + role.String(), Listen: "127.0.0.1:0"}
		d, err := Init(context.Background(), filepath.Join(o.parent, role.String()), options)
		if err != nil {
			t.Fatal(err)
		}
		service, closeService, err := d.Connect(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		directories = append(directories, d)
		o.close = append(o.close, closeService)
		o.handlers = append(o.handlers, api.NewOperatorHandler(service, api.OperatorOptions{Logger: slog.New(slog.NewTextHandler(io.Discard, nil))}))
	}
	o.valid = operatorRequests(t, directories[0], directories[1])
}

func (o *operated) end(t testing.TB) {
	for _, closeService := range o.close {
		if err := closeService(); err != nil {
			t.Error(err)
		}
	}
	if err := os.RemoveAll(o.parent); err != nil {
		t.Error(err)
	}
}

// encodeOperatorRequest returns a copy of the request, changed as the script says, in the form of HTTP/1.1.
func encodeOperatorRequest(t testing.TB, s *fuzzing.Script, path string, request any) []byte {
	t.Helper()
	var body []byte
	switch r := request.(type) {
	case *api.AddTaskRequest:
		body = edited(t, s, *r)
	case *api.RotateHpkeKeyRequest:
		body = edited(t, s, *r)
	case *api.InviteRequest:
		body = edited(t, s, *r)
	case *api.PairRequest:
		body = edited(t, s, *r)
	case *api.OptInRequest:
		body = edited(t, s, *r)
	case *api.JobsRequest:
		body = edited(t, s, *r)
	case *api.JobRequest:
		body = edited(t, s, *r)
	}
	return fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: operator\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
}

func edited[Request any](t testing.TB, s *fuzzing.Script, request Request) []byte {
	t.Helper()
	s.Edit(&request)
	body, err := json.Marshal(request)
	if err != nil {
		t.Fatal(err)
	}
	return body
}

// A witness that is read is one, or there is an error that names the file.
func FuzzWitness(f *testing.F) {
	f.Add([]byte(`{"about":"x","instance":"00112233445566778899aabbccddeeff","starts":1,"transaction":7}`))
	f.Add([]byte(`{"instance":"zz"}`))
	d := &Directory{path: f.TempDir()}
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text []byte) {
		if err := os.WriteFile(d.file(witnessFile), text, 0o600); err != nil {
			t.Fatal(err)
		}
		standing, err := d.readWitness()
		if (standing == nil) == (err == nil) || err != nil && !strings.Contains(err.Error(), witnessFile) {
			t.Fatalf("%q is %+v, %v", text, standing, err)
		}
	})
}

// What is read of an invitation that somebody made, however it was changed, is an error or a whole one.
func FuzzInvitationBytes(f *testing.F) {
	line, err := NewInvitation("https://helper.example/dap").Encode()
	if err != nil {
		f.Fatal(err)
	}
	encoded, err := base64url.Decode(line[len(invitationPrefix):])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(encoded[:len(encoded)-checksumLength])
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, body []byte) {
		sum := sha256.Sum256(body)
		i, err := ParseInvitation(invitationPrefix + base64url.Encode(append(bytes.Clone(body), sum[:checksumLength]...)))
		if err != nil {
			if _, ok := errors.AsType[*InvitationError](err); !ok {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		if again, err := i.Encode(); err != nil || len(i.secret) != secretLength || len(again) == 0 {
			t.Fatalf("%x is an invitation that is encoded as %q, %v", body, again, err)
		}
	})
}
