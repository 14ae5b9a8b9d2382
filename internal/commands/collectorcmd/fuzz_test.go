package collectorcmd

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// A key file that is read holds a keypair whose key is not in the error of another.
func FuzzKeyFile(f *testing.F) {
	for _, postQuantum := range []bool{false, true} {
		dir := f.TempDir()
		keypair, err := newKeypair(postQuantum)
		if err != nil {
			f.Fatal(err)
		}
		if err := writeKeypair(dir, keypair); err != nil {
			f.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, keyFile))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	fuzzing.Run(f, fuzzing.Limit{Fixed: 1 << 20, Multiple: 128}, func(t testing.TB, text []byte) {
		keypair, err := decodeKeypair(keyFile, text)
		if err == nil {
			if err := keypair.Config.Validate(); err != nil {
				t.Fatal(err)
			}
			return
		}
		if _, ok := errors.AsType[*KeyError](err); !ok {
			t.Fatalf("an error of type %T", err)
		}
		for line := range strings.Lines(string(text)) {
			if secret, ok := strings.CutPrefix(strings.TrimSpace(line), "private_key = "); ok && len(secret) > 20 && strings.Contains(err.Error(), secret) {
				t.Fatalf("the error holds the key: %v", err)
			}
		}
	})
}
