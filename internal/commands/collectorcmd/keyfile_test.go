package collectorcmd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/base64url"
)

func TestKeypairFile(t *testing.T) {
	for _, postQuantum := range []bool{false, true} {
		dir := filepath.Join(t.TempDir(), "C")
		keypair, err := newKeypair(postQuantum)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeKeypair(dir, keypair); err != nil {
			t.Fatal(err)
		}
		got, err := readKeypair(dir)
		if err != nil || got.Config.ID != keypair.Config.ID || string(got.Config.PublicKey) != string(keypair.Config.PublicKey) {
			t.Fatalf("got %v, %v", got, err)
		}
		aad := dap.AggregateShareAad{TaskConfiguration: exampleConfiguration(t), CollectionJobReq: dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery()}}
		sealed, err := dap.SealAggregateShare(keypair.Config, dap.RoleLeader, aad, []byte("share"))
		if err != nil {
			t.Fatal(err)
		}
		if opened, err := dap.OpenAggregateShare(got, dap.RoleLeader, aad, sealed); err != nil || string(opened) != "share" {
			t.Errorf("the key that was read does not open: %v", err)
		}
		if err := writeKeypair(dir, keypair); err == nil {
			t.Error("a key was overwritten")
		}
	}
}

func exampleConfiguration(t *testing.T) []byte {
	t.Helper()
	encoded, err := dap.TaskConfiguration{TaskInfo: []byte("x"), LeaderAggregatorEndpoint: "https://l.example/", HelperAggregatorEndpoint: "https://h.example/", BatchMode: dap.BatchModeTimeInterval}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

func TestKeypairFileErrors(t *testing.T) {
	_, err := readKeypair(t.TempDir())
	if _, ok := errors.AsType[*NotInitializedError](err); !ok {
		t.Errorf("got %v", err)
	}
	dir := t.TempDir()
	keypair, err := newKeypair(false)
	if err != nil {
		t.Fatal(err)
	}
	if err := writeKeypair(dir, keypair); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, keyFile)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	private, err := keypair.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	other, err := newKeypair(false)
	if err != nil {
		t.Fatal(err)
	}
	otherPrivate, err := other.MarshalPrivate()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]string{
		"empty":         "",
		"not TOML":      "\x00",
		"unknown field": string(good) + "more = 1\n",
		"other version": strings.Replace(string(good), keyFileFormat, "twofold-collector-key-9", 1),
		"not Base64":    strings.Replace(string(good), "private_key = '", "private_key = '!", 1),
		"cut short":     strings.Replace(string(good), base64url.Encode(private), base64url.Encode(private[:31]), 1),
		"another's":     strings.Replace(string(good), base64url.Encode(private), base64url.Encode(otherPrivate), 1),
		"no config":     strings.Replace(string(good), "hpke_config = '", "hpke_config = 'AA", 1),
	} {
		if err := os.WriteFile(path, []byte(change), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := readKeypair(dir)
		if _, ok := errors.AsType[*KeyError](err); !ok || strings.Contains(err.Error(), base64url.Encode(private)) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := os.WriteFile(path, good, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := readKeypair(dir); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a key that others may read: %v", err)
	}
}
