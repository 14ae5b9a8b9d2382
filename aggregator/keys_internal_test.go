package aggregator

import (
	"errors"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// TestUnusedID gives out all configuration IDs, each once, starting anywhere.
func TestUnusedID(t *testing.T) {
	key := func(id dap.HpkeConfigID, made int) HpkeKey {
		return HpkeKey{Keypair: dap.HpkeKeypair{Config: dap.HpkeConfig{ID: id}}, CreatedAt: time.Unix(int64(made), 0)}
	}
	keys := []HpkeKey{key(200, 0)}
	seen := map[dap.HpkeConfigID]bool{200: true}
	for i := range 255 {
		id, err := newKeySet(keys).unusedID()
		if err != nil {
			t.Fatal(err)
		}
		if seen[id] {
			t.Fatalf("the ID %d was given out twice", id)
		}
		if want := dap.HpkeConfigID(201 + i); id != want {
			t.Fatalf("the ID is %d, want the one after the newest, %d", id, want)
		}
		seen[id] = true
		keys = append(keys, key(id, i))
	}
	if _, err := newKeySet(keys).unusedID(); !errors.Is(err, ErrHpkeKeysExhausted) {
		t.Errorf("the 257th key: %v", err)
	}
}
