package sealed_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/twofold-dap/twofold/internal/sealed"
	"github.com/twofold-dap/twofold/internal/secret"
)

func newSealer(t *testing.T, fill byte) *sealed.Sealer {
	t.Helper()
	s, err := sealed.New(bytes.Repeat([]byte{fill}, sealed.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSeal: what is sealed opens at its place with its key, and nowhere else; damaged in any bit or cut short it does not open.
func TestSeal(t *testing.T) {
	s, other := newSealer(t, 1), newSealer(t, 2)
	place := sealed.Place("tokens", []byte("task"), "token")
	for _, value := range []string{"x", "a bearer token", string(bytes.Repeat([]byte("long"), 1000))} {
		first, again := s.Seal(secret.Bytes(value), place), s.Seal(secret.Bytes(value), place)
		if bytes.Equal(first, again) {
			t.Error("the same value is sealed twice with one nonce")
		}
		got, err := s.Unseal(first, place)
		if err != nil || string(got) != value {
			t.Fatalf("%d bytes: %v", len(value), err)
		}
		if _, err := other.Unseal(first, place); !errors.Is(err, sealed.ErrOpen) {
			t.Errorf("with another key: %v", err)
		}
		for _, elsewhere := range [][]byte{
			sealed.Place("tokens", []byte("task"), "key"), sealed.Place("tokens", []byte("tas"), "ktoken"), sealed.Place("token", []byte("stask"), "token"), nil,
		} {
			if _, err := s.Unseal(first, elsewhere); !errors.Is(err, sealed.ErrOpen) {
				t.Errorf("at another place: %v", err)
			}
		}
		for n := 1; n < len(first); n++ {
			if _, err := s.Unseal(first[:n], place); !errors.Is(err, sealed.ErrOpen) {
				t.Fatalf("the first %d bytes: %v", n, err)
			}
		}
		for i := range min(len(first), 64) {
			damaged := bytes.Clone(first)
			damaged[i] ^= 1 << (i % 8)
			if _, err := s.Unseal(damaged, place); !errors.Is(err, sealed.ErrOpen) {
				t.Fatalf("with byte %d changed: %v", i, err)
			}
		}
	}
}

func TestEmptyAndKeys(t *testing.T) {
	s := newSealer(t, 1)
	if got := s.Seal(nil, nil); got != nil {
		t.Errorf("nothing is sealed as %x", got)
	}
	if got, err := s.Unseal(nil, nil); got != nil || err != nil {
		t.Errorf("%x, %v", []byte(got), err)
	}
	for _, n := range []int{0, 16, 31, 33} {
		if _, err := sealed.New(make([]byte, n)); !errors.Is(err, sealed.ErrKeySize) {
			t.Errorf("a key of %d bytes: %v", n, err)
		}
	}
}
