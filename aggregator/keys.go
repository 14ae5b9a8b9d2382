package aggregator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// HpkeSuite names the algorithms of an HPKE configuration.
type HpkeSuite struct {
	KemID  dap.HpkeKemID
	KdfID  dap.HpkeKdfID
	AeadID dap.HpkeAeadID
}

// MandatorySuite is the one that every participant supports (DAP Section 7).
var MandatorySuite = HpkeSuite{dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm}

// ErrNoHpkeKey: the aggregator has no HPKE configuration to offer.
var ErrNoHpkeKey = errors.New("no HPKE key; add one")

// ErrHpkeKeysExhausted: all 256 configuration IDs are taken.
var ErrHpkeKeysExhausted = errors.New("all 256 HPKE configuration IDs are taken")

// keySet is what is known of the keys at one time. It is immutable.
type keySet struct {
	keys     []HpkeKey // by preference
	keypairs []dap.HpkeKeypair
	known    [256]bool
	offered  dap.HpkeConfigList
}

func newKeySet(keys []HpkeKey) *keySet {
	set := &keySet{keys: keys}
	for _, k := range keys {
		set.keypairs = append(set.keypairs, k.Keypair)
		set.known[k.Keypair.Config.ID] = true
		if k.RetiredAt.IsZero() {
			set.offered.Configs = append(set.offered.Configs, k.Keypair.Config)
		}
	}
	return set
}

// keyring holds the newest keySet. Changes happen one after the other.
type keyring struct {
	change  sync.Mutex
	current atomic.Pointer[keySet]
}

// ReloadKeys reads the HPKE keys again from the store.
func (e *engine) ReloadKeys(ctx context.Context) error {
	e.keys.change.Lock()
	defer e.keys.change.Unlock()
	return e.reloadKeys(ctx)
}

func (e *engine) reloadKeys(ctx context.Context) error {
	keys, err := e.store.HpkeKeys(ctx)
	if err != nil {
		return err
	}
	slices.SortStableFunc(keys, func(a, b HpkeKey) int {
		return cmp.Or(cmp.Compare(a.Preference, b.Preference), b.CreatedAt.Compare(a.CreatedAt))
	})
	e.keys.current.Store(newKeySet(keys))
	return nil
}

// HpkeConfigList returns the configurations that are offered to Clients, in
// decreasing order of preference (DAP Section 4.4.1). Without any it is ErrNoHpkeKey.
func (e *engine) HpkeConfigList(context.Context) (dap.HpkeConfigList, error) {
	list := e.keys.current.Load().offered
	if len(list.Configs) == 0 {
		return dap.HpkeConfigList{}, ErrNoHpkeKey
	}
	return list, nil
}

// HpkeKeys returns all keys, retired ones too, by preference.
func (e *engine) HpkeKeys(context.Context) ([]HpkeKey, error) {
	return slices.Clone(e.keys.current.Load().keys), nil
}

// AddHpkeKey makes a key of that suite under an unused configuration ID, and offers it
// with that preference (lower first). Keys of the same preference are offered newest first.
func (e *engine) AddHpkeKey(ctx context.Context, suite HpkeSuite, preference int) (dap.HpkeConfig, error) {
	e.keys.change.Lock()
	defer e.keys.change.Unlock()
	return e.addHpkeKey(ctx, suite, preference)
}

func (e *engine) addHpkeKey(ctx context.Context, suite HpkeSuite, preference int) (dap.HpkeConfig, error) {
	if err := e.reloadKeys(ctx); err != nil {
		return dap.HpkeConfig{}, err
	}
	id, err := e.keys.current.Load().unusedID()
	if err != nil {
		return dap.HpkeConfig{}, err
	}
	keypair, err := dap.GenerateHpkeKeypair(id, suite.KemID, suite.KdfID, suite.AeadID)
	if err != nil {
		return dap.HpkeConfig{}, fmt.Errorf("suite %s, %s, %s: %w", suite.KemID, suite.KdfID, suite.AeadID, err)
	}
	key := HpkeKey{Keypair: keypair, Preference: preference, CreatedAt: e.now().UTC().Truncate(time.Second)}
	if err := e.store.PutHpkeKey(ctx, key); err != nil {
		return dap.HpkeConfig{}, err
	}
	return keypair.Config, e.reloadKeys(ctx)
}

// RotateHpkeKey adds a key of that suite in the place of those that are
// offered with it, and retires these. Retired keys still open what was sealed to them.
func (e *engine) RotateHpkeKey(ctx context.Context, suite HpkeSuite) (dap.HpkeConfig, error) {
	e.keys.change.Lock()
	defer e.keys.change.Unlock()
	preference := 0
	var old []HpkeKey
	for _, k := range e.keys.current.Load().keys {
		if k.RetiredAt.IsZero() && suiteOf(k) == suite {
			if len(old) == 0 {
				preference = k.Preference
			}
			old = append(old, k)
		}
	}
	config, err := e.addHpkeKey(ctx, suite, preference)
	if err != nil {
		return dap.HpkeConfig{}, err
	}
	for _, k := range old {
		k.RetiredAt = e.now().UTC().Truncate(time.Second)
		if err := e.store.PutHpkeKey(ctx, k); err != nil {
			return config, err
		}
	}
	return config, e.reloadKeys(ctx)
}

// RetireHpkeKey stops offering a key. It still opens what was sealed to it. An
// unknown ID is ErrNotFound.
func (e *engine) RetireHpkeKey(ctx context.Context, id dap.HpkeConfigID) error {
	e.keys.change.Lock()
	defer e.keys.change.Unlock()
	for _, k := range e.keys.current.Load().keys {
		if k.Keypair.Config.ID != id {
			continue
		}
		if !k.RetiredAt.IsZero() {
			return nil
		}
		k.RetiredAt = e.now().UTC().Truncate(time.Second)
		if err := e.store.PutHpkeKey(ctx, k); err != nil {
			return err
		}
		return e.reloadKeys(ctx)
	}
	return fmt.Errorf("HPKE configuration %d: %w", id, ErrNotFound)
}

func suiteOf(k HpkeKey) HpkeSuite {
	c := k.Keypair.Config
	return HpkeSuite{KemID: c.KemID, KdfID: c.KdfID, AeadID: c.AeadID}
}

// unusedID returns the ID after the newest key's, so that an ID is used again as
// late as possible.
func (s *keySet) unusedID() (dap.HpkeConfigID, error) {
	var newest HpkeKey
	for _, k := range s.keys {
		if !k.CreatedAt.Before(newest.CreatedAt) {
			newest = k
		}
	}
	start := 0
	if len(s.keys) > 0 {
		start = int(newest.Keypair.Config.ID) + 1
	}
	for i := range 256 {
		if id := (start + i) % 256; !s.known[id] {
			return dap.HpkeConfigID(id), nil
		}
	}
	return 0, ErrHpkeKeysExhausted
}

// openerOf returns the opener of a task's input shares with the newest keys.
func (e *engine) openerOf(t *preparedTask) (*dap.InputShareOpener, error) {
	keys := e.keys.current.Load()
	if cached := t.opener.Load(); cached != nil && cached.keys == keys {
		return cached.opener, nil
	}
	opener, err := dap.NewInputShareOpener(keys.keypairs, e.role, t.ID, t.EncodedConfig)
	if err != nil {
		return nil, err
	}
	t.opener.Store(&cachedOpener{keys: keys, opener: opener})
	return opener, nil
}
