package operator

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/base64url"
	"github.com/twofold-dap/twofold/internal/privatefile"
	"github.com/twofold-dap/twofold/internal/secret"
	"github.com/twofold-dap/twofold/store"
)

// KeyVariable is the environment variable that may hold the directory's key in
// place of a file: 32 bytes in URL-safe Base64 without padding.
const KeyVariable = "TWOFOLD_STORE_KEY"

const keyLength = 32

// rootKey is the secret outside of the database from which everything that
// protects it is derived.
type rootKey struct{ secret secret.Bytes }

// KeyError says why a directory's key cannot be used. It does not hold the key.
type KeyError struct {
	Source  string // a path, or the variable's name
	Problem string
}

func (e *KeyError) Error() string { return e.Source + ": " + e.Problem }

// newRootKey returns a new key and its text, for a file.
func newRootKey() (rootKey, []byte) {
	key := make([]byte, keyLength)
	rand.Read(key)
	return rootKey{key}, []byte(base64url.Encode(key) + "\n")
}

func parseRootKey(source, text string) (rootKey, error) {
	key, err := base64url.Decode(strings.TrimSpace(text))
	if err != nil || len(key) != keyLength {
		return rootKey{}, &KeyError{source, fmt.Sprintf("is not a key: it must be %d bytes in URL-safe Base64 without padding", keyLength)}
	}
	return rootKey{key}, nil
}

// rootKeyFromEnvironment returns the key of the environment variable, and false if
// that is not set.
func rootKeyFromEnvironment() (rootKey, bool, error) {
	text, ok := os.LookupEnv(KeyVariable)
	if !ok {
		return rootKey{}, false, nil
	}
	key, err := parseRootKey("the environment variable "+KeyVariable, text)
	return key, true, err
}

// readRootKey reads the key of the environment or of the file, which nobody but its owner
// may read.
func readRootKey(path string) (rootKey, error) {
	if key, ok, err := rootKeyFromEnvironment(); ok {
		return key, err
	}
	text, err := privatefile.Read(path, 4<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return rootKey{}, &KeyError{path, "is missing; put it back, or set " + KeyVariable + ". Without it the database cannot be opened"}
	}
	if err != nil {
		return rootKey{}, err
	}
	return parseRootKey(path, string(text))
}

// storeKey seals the secrets in the database.
func (k rootKey) storeKey() (secret.Bytes, error) {
	return hkdf.Key(sha256.New, k.secret, nil, "twofold store key", store.KeySize)
}

// collectorToken is the token that the Leader expects of a task's Collector. It
// is derived, so that approving a task again gives the same token.
func (k rootKey) collectorToken(id dap.TaskID) (string, error) {
	return k.token("twofold collector token" + string(id[:]))
}

// optInToken is the token that the Leader expects of the Collector of the tasks that are
// accepted for a peering without approval of each.
func (k rootKey) optInToken(peer string) (string, error) {
	return k.token("twofold opt-in collector token" + peer)
}

func (k rootKey) token(label string) (string, error) {
	token, err := hkdf.Key(sha256.New, k.secret, nil, label, 32)
	return base64url.Encode(token), err
}
