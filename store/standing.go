package store

import (
	"context"
	"crypto/rand"

	bolt "go.etcd.io/bbolt"
)

// Standing is how far a store has come. Kept apart from the file it tells whether the file is
// an older one of the same store, which was put back by hand.
type Standing struct {
	// Instance is a random name that a store has from its first Start, and a restored one anew.
	Instance [16]byte
	// Starts counts the calls of Start.
	Starts uint64
	// Transaction is the newest that the disk has confirmed. It never falls.
	Transaction uint64
}

// Precedes tells whether a store that stands at s is older than, or another than, one that has stood at other.
func (s Standing) Precedes(other Standing) bool {
	return s.Instance != other.Instance || s.Starts < other.Starts || s.Transaction < other.Transaction
}

// standingRecord is in bucketMeta under keyStanding, from the first Start on.
type standingRecord struct {
	Instance []byte `cbor:"1,keyasint"`
	Starts   uint64 `cbor:"2,keyasint"`
}

const keyStanding = "standing"

// Standing tells how far the store has come. Before the first Start it has no instance.
func (s *store) Standing(ctx context.Context) (standing Standing, err error) {
	err = s.view(ctx, func(t *txn) error {
		standing, err = readStanding(t.tx)
		return err
	})
	standing.Transaction = s.durable.Load()
	return standing, err
}

func readStanding(tx *bolt.Tx) (standing Standing, err error) {
	encoded := tx.Bucket([]byte(bucketMeta)).Get([]byte(keyStanding))
	if encoded == nil {
		return standing, nil
	}
	var record standingRecord
	err = decodeRecord(encoded, &record)
	if err == nil {
		err = copyExactly("instance", standing.Instance[:], record.Instance)
	}
	if err != nil {
		return standing, &RecordError{bucketMeta + "/" + keyStanding, err.Error()}
	}
	standing.Starts = record.Starts
	return standing, nil
}

// Start counts that a server starts on the store.
func (s *store) Start(ctx context.Context) (Standing, error) {
	fresh := newInstance()
	err := s.update(ctx, 100, func(t *txn) error {
		standing, err := readStanding(t.tx)
		if err != nil {
			return err
		}
		if standing == (Standing{}) {
			standing.Instance = fresh
		}
		standing.Starts++
		return putStanding(t, standing)
	})
	if err != nil {
		return Standing{}, err
	}
	return s.Standing(ctx)
}

func newInstance() (instance [16]byte) {
	rand.Read(instance[:])
	return instance
}

func putStanding(t *txn, standing Standing) error {
	return t.top(bucketMeta).put([]byte(keyStanding), encodeRecord(standingRecord{standing.Instance[:], standing.Starts}))
}
