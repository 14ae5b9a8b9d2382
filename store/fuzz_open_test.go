package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"

	"github.com/twofold-dap/twofold/internal/fuzzing"
)

// FuzzOpen opens a Leader's database with bytes that have changed. It opens, or there is an error;
// once it is open, everything in it can be read and checked.
func FuzzOpen(f *testing.F) {
	content := fullFile(f)
	meta, err := readMeta(bytes.NewReader(content))
	if err != nil {
		f.Fatal(err)
	}
	content = content[:int(meta.high)*meta.pageSize]
	f.Add([]byte{})
	for page := range int(meta.high) {
		for _, at := range []int{9, 10, 17, 24, 40, 300, 2000} {
			at += page * meta.pageSize
			f.Add([]byte{byte(at >> 16), byte(at >> 8), byte(at), 0xff})
		}
	}
	path := filepath.Join(f.TempDir(), "leader.db")
	fuzzing.Run(f, fuzzing.Limit{Fixed: 64 << 20}, func(t testing.TB, changes []byte) {
		// Each change is a place in the file and a byte for it.
		changed := bytes.Clone(content)
		for len(changes) >= 4 {
			changed[int(binary.BigEndian.Uint32(changes)>>8)%len(changed)] ^= changes[3]
			changes = changes[4:]
		}
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := OpenLeader(path, checkKey, WithoutSync(Options{}))
		if err != nil {
			return
		}
		defer func() { _ = l.Close() }()
		ctx := context.Background()
		_, _ = l.Check(ctx)
		tasks, err := l.Tasks(ctx)
		if err != nil {
			return
		}
		for _, task := range tasks {
			_, _ = l.Counts(ctx, task.ID)
		}
		_, _ = l.HpkeKeys(ctx)
		_, _ = l.Peerings(ctx)
	})
}
