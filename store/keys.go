package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"

	"github.com/twofold-dap/twofold/aggregator"
	"github.com/twofold-dap/twofold/dap"
)

// hpkeKeyRecord is an aggregator.HpkeKey.
type hpkeKeyRecord struct {
	Config     []byte `cbor:"1,keyasint"` // dap.HpkeConfig
	Private    []byte `cbor:"2,keyasint"` // sealed
	Preference int64  `cbor:"3,keyasint"`
	CreatedAt  int64  `cbor:"4,keyasint"`
	RetiredAt  int64  `cbor:"5,keyasint"`
}

const fieldPrivateKey = "private key"

// PutHpkeKey implements aggregator.Store.
func (s *store) PutHpkeKey(ctx context.Context, key aggregator.HpkeKey) error {
	config, err := key.Keypair.Config.Encode()
	if err != nil {
		return err
	}
	private, err := key.Keypair.MarshalPrivate()
	if err != nil {
		return err
	}
	id := []byte{byte(key.Keypair.Config.ID)}
	record := hpkeKeyRecord{
		Config:     config,
		Private:    s.seal.seal(private, place(bucketHpkeKeys, id, fieldPrivateKey)),
		Preference: int64(key.Preference),
		CreatedAt:  stamp(key.CreatedAt),
		RetiredAt:  stamp(key.RetiredAt),
	}
	return s.update(ctx, len(config), func(t *txn) error {
		keys := t.top(bucketHpkeKeys)
		if encoded := keys.get(id); encoded != nil {
			stored, err := s.decodeHpkeKey(keys, id, encoded)
			if err != nil {
				return err
			}
			if !bytes.Equal(stored.Keypair.Config.PublicKey, key.Keypair.Config.PublicKey) {
				return about(aggregator.ErrExists, "HPKE key %d", id[0])
			}
		}
		return keys.put(id, encodeRecord(record))
	})
}

func (s *store) decodeHpkeKey(b bucket, key, encoded []byte) (aggregator.HpkeKey, error) {
	var r hpkeKeyRecord
	if err := decodeRecord(encoded, &r); err != nil {
		return aggregator.HpkeKey{}, b.damaged(key, "%v", err)
	}
	config, err := dap.DecodeHpkeConfig(r.Config)
	if err != nil {
		return aggregator.HpkeKey{}, b.damaged(key, "%v", err)
	}
	if len(key) != 1 || config.ID != dap.HpkeConfigID(key[0]) {
		return aggregator.HpkeKey{}, b.damaged(key, "it holds configuration %d", config.ID)
	}
	private, err := s.seal.unseal(r.Private, place(bucketHpkeKeys, key, fieldPrivateKey))
	if err != nil {
		return aggregator.HpkeKey{}, b.damaged(key, "%v", err)
	}
	keypair, err := dap.ParseHpkeKeypair(config, private)
	if err != nil {
		return aggregator.HpkeKey{}, b.damaged(key, "%v", err)
	}
	return aggregator.HpkeKey{
		Keypair:    keypair,
		Preference: int(r.Preference),
		CreatedAt:  unstamp(r.CreatedAt),
		RetiredAt:  unstamp(r.RetiredAt),
	}, nil
}

// HpkeKeys implements aggregator.Store. Keys of one preference come by configuration ID.
func (s *store) HpkeKeys(ctx context.Context) (all []aggregator.HpkeKey, err error) {
	err = s.view(ctx, func(t *txn) error {
		keys := t.top(bucketHpkeKeys)
		return keys.each(func(id, encoded []byte) error {
			key, err := s.decodeHpkeKey(keys, id, encoded)
			all = append(all, key)
			return err
		})
	})
	slices.SortStableFunc(all, func(a, b aggregator.HpkeKey) int { return cmp.Compare(a.Preference, b.Preference) })
	return all, err
}

// peeringRecord is an aggregator.Peering.
type peeringRecord struct {
	PeerURL       string       `cbor:"1,keyasint"`
	VerifyKeyInit []byte       `cbor:"2,keyasint"` // sealed
	Token         []byte       `cbor:"3,keyasint"` // sealed
	TokenHash     []byte       `cbor:"4,keyasint"`
	OptIn         *optInRecord `cbor:"5,keyasint"`
	CreatedAt     int64        `cbor:"6,keyasint"`
}

// optInRecord is an aggregator.TaskprovOptIn.
type optInRecord struct {
	CollectorHpkeConfig []byte `cbor:"1,keyasint"` // dap.HpkeConfig
	CollectorTokenHash  []byte `cbor:"2,keyasint"`
	MinBatchSize        uint64 `cbor:"3,keyasint"`
}

const (
	fieldVerifyKeyInit = "verify_key_init"
	fieldToken         = "token"
)

// PutPeering implements aggregator.Store.
func (s *store) PutPeering(ctx context.Context, p aggregator.Peering) error {
	if p.Name == "" {
		return inputError("peering name", "it is empty")
	}
	name := []byte(p.Name)
	record := peeringRecord{
		PeerURL:       p.PeerURL,
		VerifyKeyInit: s.seal.seal(p.VerifyKeyInit, place(bucketPeerings, name, fieldVerifyKeyInit)),
		Token:         s.seal.seal(p.Token, place(bucketPeerings, name, fieldToken)),
		TokenHash:     p.TokenHash[:],
		CreatedAt:     stamp(p.CreatedAt),
	}
	if p.OptIn != nil {
		config, err := p.OptIn.CollectorHpkeConfig.Encode()
		if err != nil {
			return err
		}
		record.OptIn = &optInRecord{config, p.OptIn.CollectorTokenHash[:], p.OptIn.MinBatchSize}
	}
	return s.update(ctx, 0, func(t *txn) error {
		return t.top(bucketPeerings).put(name, encodeRecord(record))
	})
}

func (s *store) decodePeering(b bucket, name, encoded []byte) (aggregator.Peering, error) {
	var r peeringRecord
	if err := decodeRecord(encoded, &r); err != nil {
		return aggregator.Peering{}, b.damaged(name, "%v", err)
	}
	p := aggregator.Peering{Name: string(name), PeerURL: r.PeerURL, CreatedAt: unstamp(r.CreatedAt)}
	var errs [5]error
	p.VerifyKeyInit, errs[0] = s.seal.unseal(r.VerifyKeyInit, place(bucketPeerings, name, fieldVerifyKeyInit))
	p.Token, errs[1] = s.seal.unseal(r.Token, place(bucketPeerings, name, fieldToken))
	errs[2] = copyExactly("token hash", p.TokenHash[:], r.TokenHash)
	if r.OptIn != nil {
		p.OptIn = &aggregator.TaskprovOptIn{MinBatchSize: r.OptIn.MinBatchSize}
		p.OptIn.CollectorHpkeConfig, errs[3] = dap.DecodeHpkeConfig(r.OptIn.CollectorHpkeConfig)
		errs[4] = copyExactly("collector token hash", p.OptIn.CollectorTokenHash[:], r.OptIn.CollectorTokenHash)
	}
	if err := firstError(errs[:]...); err != nil {
		return aggregator.Peering{}, b.damaged(name, "%v", err)
	}
	return p, nil
}

// Peerings implements aggregator.Store. They come by name.
func (s *store) Peerings(ctx context.Context) (all []aggregator.Peering, err error) {
	err = s.view(ctx, func(t *txn) error {
		peerings := t.top(bucketPeerings)
		return peerings.each(func(name, encoded []byte) error {
			p, err := s.decodePeering(peerings, name, encoded)
			all = append(all, p)
			return err
		})
	})
	return all, err
}
