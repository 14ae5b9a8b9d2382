package store

import (
	"encoding/binary"
	"fmt"

	bolt "go.etcd.io/bbolt"

	"github.com/twofold-dap/twofold/dap"
)

// SchemaVersion is the version of the file's layout that this program writes. A
// file of an earlier one is brought to it when it is opened; see migrate.go.
const SchemaVersion = 6

// The buckets of the first level, and the keys of bucketMeta.
const (
	bucketMeta     = "meta"
	bucketTasks    = "tasks"     // task ID: taskRecord
	bucketHpkeKeys = "hpke_keys" // configuration ID: hpkeKeyRecord
	bucketPeerings = "peerings"  // name: peeringRecord
	bucketData     = "data"      // task ID: a bucket with all that belongs to the task

	keySchema = "schema" // schemaRecord
)

// schemaRecord says what the file is. Every version of the layout keeps its
// first three fields as they are.
type schemaRecord struct {
	Magic   string `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
	Role    uint8  `cbor:"3,keyasint"`
	Created int64  `cbor:"4,keyasint"`
	// KeyCheck is a sealed constant: the right key opens it.
	KeyCheck []byte `cbor:"5,keyasint"`
	// Migration says how far the file has come to Version; nil once it is there.
	Migration *migrationRecord `cbor:"6,keyasint,omitempty"`
}

const (
	schemaMagic = "twofold"
	keyCheck    = "twofold store key"
)

// writeSchema makes an empty store.
func (s *store) writeSchema(tx *bolt.Tx) error {
	for _, name := range []string{bucketMeta, bucketTasks, bucketHpkeKeys, bucketPeerings, bucketData} {
		if _, err := tx.CreateBucketIfNotExists([]byte(name)); err != nil {
			return err
		}
	}
	record := schemaRecord{
		Magic:    schemaMagic,
		Version:  SchemaVersion,
		Role:     uint8(s.role),
		Created:  stamp(s.options.Now()),
		KeyCheck: s.seal.seal([]byte(keyCheck), place(bucketMeta, []byte(keySchema), "key check")),
	}
	return tx.Bucket([]byte(bucketMeta)).Put([]byte(keySchema), encodeRecord(record))
}

// checkSchema says whether this program, with this key, can use the file.
func (s *store) checkSchema(tx *bolt.Tx) error {
	notStore := &OpenError{Path: s.path, Problem: ErrNotStore, Remedy: "check the path; the file was not changed"}
	meta := tx.Bucket([]byte(bucketMeta))
	if meta == nil {
		return notStore
	}
	encoded := meta.Get([]byte(keySchema))
	var known struct { // a later version may have added fields
		Magic   string `cbor:"1,keyasint"`
		Version uint64 `cbor:"2,keyasint"`
		Role    uint8  `cbor:"3,keyasint"`
	}
	if err := lenientDecoding.Unmarshal(encoded, &known); err != nil || known.Magic != schemaMagic {
		return notStore
	}
	if dap.Role(known.Role) != s.role {
		return &OpenError{
			Path: s.path, Problem: ErrForeign,
			Detail: fmt.Sprintf("it is that of a %s, not of a %s", dap.Role(known.Role), s.role),
			Remedy: "give the directory of the right role",
		}
	}
	if known.Version == 0 || known.Version > SchemaVersion {
		return &OpenError{
			Path: s.path, Problem: ErrNewer,
			Detail: fmt.Sprintf("it has version %d, this program knows versions up to %d", known.Version, SchemaVersion),
			Remedy: "use the program that wrote it, or a newer one",
		}
	}
	var record schemaRecord
	if err := decodeRecord(encoded, &record); err != nil {
		return &RecordError{bucketMeta + "/" + keySchema, err.Error()}
	}
	value, err := s.seal.unseal(record.KeyCheck, place(bucketMeta, []byte(keySchema), "key check"))
	if err != nil || string(value) != keyCheck {
		return &OpenError{Path: s.path, Problem: ErrWrongKey, Remedy: "give the key with which the directory was initialized"}
	}
	for _, name := range []string{bucketTasks, bucketHpkeKeys, bucketPeerings, bucketData} {
		if tx.Bucket([]byte(name)) == nil {
			return &RecordError{name, "the bucket is missing"}
		}
	}
	return nil
}

// be64 is a number as a key: keys sort as numbers do.
func be64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
