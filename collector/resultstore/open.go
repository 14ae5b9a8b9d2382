package resultstore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/internal/sealed"
	"github.com/twofold-dap/twofold/internal/secret"
)

// SchemaVersion is the version of the file's layout.
const SchemaVersion = 1

// The buckets of the first level.
const (
	bucketMeta   = "meta"
	bucketTasks  = "tasks"  // task ID: taskRecord
	bucketData   = "data"   // task ID: a bucket of the task's collections, see collections.go
	bucketTokens = "tokens" // name: tokenRecord

	keySchema = "schema"
)

// schemaRecord says what the file is. Every version of the layout keeps its first two fields.
type schemaRecord struct {
	Magic   string `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
	Created int64  `cbor:"3,keyasint"`
	// KeyCheck is a sealed constant: the right key opens it.
	KeyCheck []byte `cbor:"4,keyasint"`
}

const (
	schemaMagic = "twofold-collector"
	keyCheck    = "twofold collector key"
)

// What can be wrong with a file when it is opened. Each comes in an *OpenError.
var (
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("another process has the database open")
	// ErrNotStore: it is not a collector's database.
	ErrNotStore = errors.New("the file is not a collector's database")
	// ErrNewer: its schema version is not known.
	ErrNewer = errors.New("the database has an unknown schema version")
	// ErrWrongKey: it belongs to another key.
	ErrWrongKey = errors.New("the key does not fit the database")
	// ErrUnreadable: it cannot be opened or is damaged.
	ErrUnreadable = errors.New("the database cannot be opened")
)

// OpenError says why a file could not be opened, and what to do.
type OpenError struct {
	Path    string
	Problem error // one of the errors above
	Detail  string
	Remedy  string
}

func (e *OpenError) Error() string {
	text := fmt.Sprintf("%s: %v", e.Path, e.Problem)
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	return text + "; " + e.Remedy
}

// Unwrap returns Problem.
func (e *OpenError) Unwrap() error { return e.Problem }

// Options configure a Store.
type Options struct {
	// LockTimeout is how long to wait for another process that has the file: 2 seconds.
	LockTimeout time.Duration
	// NoSync leaves out waiting for the disk: only for tests.
	NoSync bool
}

// Store is the durable state. It implements service.Store.
type Store struct {
	db   *bolt.DB
	seal *sealed.Sealer
	path string
}

var _ service.Store = (*Store)(nil)

// Open opens the file, and makes it if it is not there. key, of sealed.KeySize bytes, seals the secrets in it. Its error is an *OpenError.
func Open(path string, key secret.Bytes, options Options) (*Store, error) {
	if options.LockTimeout <= 0 {
		options.LockTimeout = 2 * time.Second
	}
	seal, err := sealed.New(key)
	if err != nil {
		return nil, err
	}
	s := &Store{seal: seal, path: path}
	err = guard(func() (err error) {
		s.db, err = bolt.Open(path, 0o600, &bolt.Options{Timeout: options.LockTimeout, FreelistType: bolt.FreelistMapType, NoSync: options.NoSync})
		return err
	})
	if err != nil {
		return nil, openError(path, err)
	}
	if err := guard(func() error { return s.db.Update(s.prepare) }); err != nil {
		return nil, openError(path, errors.Join(err, s.db.Close()))
	}
	return s, nil
}

// prepare makes the layout of an empty file, or checks that of another.
func (s *Store) prepare(tx *bolt.Tx) error {
	meta := tx.Bucket([]byte(bucketMeta))
	if meta != nil {
		return s.check(meta)
	}
	if name, _ := tx.Cursor().First(); name != nil {
		return ErrNotStore
	}
	for _, name := range []string{bucketMeta, bucketTasks, bucketData, bucketTokens} {
		if _, err := tx.CreateBucket([]byte(name)); err != nil {
			return err
		}
	}
	return tx.Bucket([]byte(bucketMeta)).Put([]byte(keySchema), encodeRecord(schemaRecord{
		Magic: schemaMagic, Version: SchemaVersion, Created: stamp(time.Now()), KeyCheck: s.seal.Seal([]byte(keyCheck), keyCheckPlace()),
	}))
}

func keyCheckPlace() []byte { return sealed.Place(bucketMeta, []byte(keySchema), "key check") }

func (s *Store) check(meta *bolt.Bucket) error {
	encoded := meta.Get([]byte(keySchema))
	var known struct { // a later version may have added fields
		Magic   string `cbor:"1,keyasint"`
		Version uint64 `cbor:"2,keyasint"`
	}
	if err := lenientDecoding.Unmarshal(encoded, &known); err != nil || known.Magic != schemaMagic {
		return ErrNotStore
	}
	if known.Version != SchemaVersion {
		return ErrNewer
	}
	var record schemaRecord
	if err := decodeRecord(bucketMeta, []byte(keySchema), encoded, &record); err != nil {
		return err
	}
	if value, err := s.seal.Unseal(record.KeyCheck, keyCheckPlace()); err != nil || string(value) != keyCheck {
		return ErrWrongKey
	}
	return nil
}

func openError(path string, err error) error {
	e := &OpenError{Path: path, Problem: ErrUnreadable, Detail: err.Error(), Remedy: "check the file's owner, its mode and the disk, or restore it from a copy"}
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		*e = OpenError{Path: path, Problem: ErrLocked, Remedy: "collector serve runs, or another command: stop it, or try again"}
	case errors.Is(err, ErrNotStore), errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrVersionMismatch):
		*e = OpenError{Path: path, Problem: ErrNotStore, Remedy: "check the path; the file was not changed"}
	case errors.Is(err, ErrNewer):
		*e = OpenError{Path: path, Problem: ErrNewer, Remedy: "use the program that wrote it, or a newer one"}
	case errors.Is(err, ErrWrongKey):
		*e = OpenError{Path: path, Problem: ErrWrongKey, Remedy: "give the directory its own collector.key back"}
	case errors.Is(err, fs.ErrNotExist):
		e.Remedy = "run collector init first, or check the path"
	}
	return e
}

// Close closes the file when the transactions under way have ended.
func (s *Store) Close() error { return s.db.Close() }

// Copy writes a copy of the whole file as it is now, while others go on.
func (s *Store) Copy(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	err = s.db.View(func(tx *bolt.Tx) error {
		_, err := tx.WriteTo(f)
		return err
	})
	return errors.Join(err, f.Sync(), f.Close())
}

// update runs f in a transaction that is on the disk when it returns nil.
func (s *Store) update(ctx context.Context, f func(tx *bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return guard(func() error { return s.db.Update(f) })
}

func (s *Store) view(ctx context.Context, f func(tx *bolt.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return guard(func() error { return s.db.View(f) })
}

// guard runs f and turns a panic, or a fault in the mapped file, into an error: bbolt panics on pages that make no sense.
func guard(f func() error) (err error) {
	old := debug.SetPanicOnFault(true)
	defer debug.SetPanicOnFault(old)
	defer func() {
		if recovered := recover(); recovered != nil {
			err = &RecordError{"(page)", fmt.Sprintf("makes no sense: %T", recovered)}
		}
	}()
	return f()
}
