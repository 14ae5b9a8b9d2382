package collectorcmd

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/pelletier/go-toml/v2"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/base64url"
	"github.com/twofold-dap/twofold/internal/privatefile"
)

// keyFile is the file of the directory that holds the collector's HPKE keypair.
const keyFile = "collector.key"

const keyFileFormat = "twofold-collector-key-1"

const keyFileHeading = `# The collector's key. It is secret: who has it and an aggregator's answer can
# read the aggregate results. Without it they are lost: keep a copy.

`

// keyFields are the file's fields.
type keyFields struct {
	Format     string `toml:"format"`
	HpkeConfig string `toml:"hpke_config" comment:"Both are in URL-safe Base64."`
	PrivateKey string `toml:"private_key"`
}

// KeyError says why a collector's key cannot be used. It does not hold the key.
type KeyError struct {
	Path    string
	Problem string
}

func (e *KeyError) Error() string { return e.Path + ": " + e.Problem }

// NotInitializedError says that a directory holds no collector's key.
type NotInitializedError struct{ Dir string }

func (e *NotInitializedError) Error() string {
	return fmt.Sprintf("%s was never initialized: run collector init --dir %s", e.Dir, e.Dir)
}

// newKeypair makes a keypair with a random configuration ID, so that ciphertexts for
// another key of the same analyst are told apart.
func newKeypair(postQuantum bool) (dap.HpkeKeypair, error) {
	id := make([]byte, 1)
	rand.Read(id)
	kem := dap.HpkeKemX25519HkdfSha256
	if postQuantum {
		kem = dap.HpkeKemXWing
	}
	return dap.GenerateHpkeKeypair(dap.HpkeConfigID(id[0]), kem, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
}

// writeKeypair makes the directory, if need be, and writes the file, which must not
// exist.
func writeKeypair(dir string, keypair dap.HpkeKeypair) error {
	config, err := keypair.Config.Encode()
	if err != nil {
		return err
	}
	private, err := keypair.MarshalPrivate()
	if err != nil {
		return err
	}
	text, err := toml.Marshal(keyFields{keyFileFormat, base64url.Encode(config), base64url.Encode(private)})
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path := filepath.Join(dir, keyFile)
	err = privatefile.Write(path, append([]byte(keyFileHeading), text...))
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is initialized already; nothing was changed", dir)
	}
	return err
}

// readKeypair reads the file, which nobody but its owner may read.
func readKeypair(dir string) (dap.HpkeKeypair, error) {
	path := filepath.Join(dir, keyFile)
	text, err := privatefile.Read(path, 64<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return dap.HpkeKeypair{}, &NotInitializedError{dir}
	}
	if err != nil {
		return dap.HpkeKeypair{}, err
	}
	return decodeKeypair(path, text)
}

// decodeKeypair reads the text of the file at path. Its error is a *KeyError.
func decodeKeypair(path string, text []byte) (dap.HpkeKeypair, error) {
	fail := func(problem string) (dap.HpkeKeypair, error) { return dap.HpkeKeypair{}, &KeyError{path, problem} }
	var fields keyFields
	if err := toml.NewDecoder(bytes.NewReader(text)).DisallowUnknownFields().Decode(&fields); err != nil || fields.Format != keyFileFormat {
		return fail("is not a collector's key of this version")
	}
	encoded, configErr := base64url.Decode(fields.HpkeConfig)
	private, privateErr := base64url.Decode(fields.PrivateKey)
	if configErr != nil || privateErr != nil {
		return fail("is damaged: a field is not in Base64")
	}
	config, err := dap.DecodeHpkeConfig(encoded)
	if err != nil {
		return fail("is damaged: " + err.Error())
	}
	keypair, err := dap.ParseHpkeKeypair(config, private)
	if err != nil {
		return fail("is damaged: " + err.Error())
	}
	return keypair, nil
}
