package operator

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

func TestInvitation(t *testing.T) {
	i := NewInvitation("https://helper.example/dap")
	line, err := i.Encode()
	if err != nil || strings.ContainsAny(line, " \n") {
		t.Fatalf("got %q, %v", line, err)
	}
	for _, text := range []string{line, "  " + line + "\r\n"} {
		got, err := ParseInvitation(text)
		if err != nil || got.HelperURL != i.HelperURL || !got.secret.Equal(i.secret) {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
	other := NewInvitation(i.HelperURL)
	if other.secret.Equal(i.secret) {
		t.Error("two invitations have one secret")
	}
}

func TestInvitationDerivations(t *testing.T) {
	i := NewInvitation("https://helper.example/dap")
	token, err := i.leaderToken()
	if err != nil {
		t.Fatal(err)
	}
	key, err := i.verifyKeyInit()
	if err != nil {
		t.Fatal(err)
	}
	again, err := i.leaderToken()
	if err != nil || again != token {
		t.Errorf("the token differs the second time: %v", err)
	}
	if strings.Contains(token, string(key.Bytes())) || string(key.Bytes()) == string(i.secret) || len(token) < 40 {
		t.Error("what is derived is not independent")
	}
}

func TestInvitationErrors(t *testing.T) {
	line, err := NewInvitation("https://helper.example/dap").Encode()
	if err != nil {
		t.Fatal(err)
	}
	check := func(name, text string) {
		t.Helper()
		_, err := ParseInvitation(text)
		if _, ok := errors.AsType[*InvitationError](err); !ok {
			t.Errorf("%s: got %v", name, err)
		}
		if err != nil && len(text) > 20 && strings.Contains(err.Error(), text[len(text)-20:]) {
			t.Errorf("%s: the error holds the invitation", name)
		}
	}
	check("empty", "")
	check("another text", "hello")
	check("without its beginning", strings.TrimPrefix(line, invitationPrefix))
	check("too long", line+strings.Repeat("A", maxInvitation))
	check("a space within", line[:30]+" "+line[30:])
	for n := range len(line) {
		check(fmt.Sprintf("the first %d characters", n), line[:n])
	}
	for n := len(invitationPrefix); n < len(line); n++ {
		changed := []byte(line)
		changed[n] = 'A' + (changed[n]-'A'+1)%26
		if string(changed) != line {
			check(fmt.Sprintf("character %d changed", n), string(changed))
		}
	}
	bad, err := Invitation{HelperURL: "ftp://x", secret: make([]byte, secretLength)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	check("a URL that is none", bad)
	short, err := Invitation{HelperURL: "https://x.example/", secret: make([]byte, secretLength-1)}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	check("a short secret", short)
	if _, err := (Invitation{HelperURL: strings.Repeat("x", 1<<16)}).Encode(); err == nil {
		t.Error("a URL that is too long was encoded")
	}
}

func TestInvitationRedacts(t *testing.T) {
	i := NewInvitation("https://helper.example/dap")
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "invitation", i)
	for _, text := range []string{fmt.Sprint(i), fmt.Sprintf("%+v %#v %x", i, i, i), b.String()} {
		if strings.Contains(text, string(i.secret)) || strings.Contains(text, fmt.Sprintf("%x", []byte(i.secret))) || !strings.Contains(text, "redacted") {
			t.Error(text)
		}
	}
}

func FuzzParseInvitation(f *testing.F) {
	line, err := NewInvitation("https://helper.example/dap").Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(line)
	f.Add(invitationPrefix)
	fuzzing.Run(f, fuzzing.Limit{}, func(t testing.TB, text string) {
		i, err := ParseInvitation(text)
		if err != nil {
			if _, ok := errors.AsType[*InvitationError](err); !ok {
				t.Fatalf("error of type %T", err)
			}
			return
		}
		again, err := i.Encode()
		if err != nil || again != strings.TrimSpace(text) {
			t.Fatalf("%q is encoded as %q, %v", text, again, err)
		}
	})
}

func TestSuites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kem := rapid.SampledFrom(keysOf(kemNames)).Draw(t, "KEM")
		kdf := rapid.SampledFrom(keysOf(kdfNames)).Draw(t, "KDF")
		aead := rapid.SampledFrom(keysOf(aeadNames)).Draw(t, "AEAD")
		suite, err := parseSuite(suiteName(kem, kdf, aead))
		if err != nil || suite.KemID != kem || suite.KdfID != kdf || suite.AeadID != aead {
			t.Fatalf("%s: %+v, %v", suiteName(kem, kdf, aead), suite, err)
		}
	})
	for _, text := range []string{"", "x25519", "x25519-sha256", "x25519-sha256-aes128gcm-x", "X25519-sha256-aes128gcm"} {
		if _, err := parseSuite(text); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
	if got := suiteName(1, 2, 3); got != "0x0001-sha384-chacha20poly1305" {
		t.Error(got)
	}
}

func keysOf[K comparable, V any](m map[K]V) []K {
	var keys []K
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}
