package store

import (
	"bytes"
	"context"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/aggregator"
)

// TestCopyDuringRecovery begins a copy between a commit that is to be seen and the disk's word on it. Whatever
// that is, the copy is begun afterwards, and does not hold up finding it out.
func TestCopyDuringRecovery(t *testing.T) {
	for name, failure := range map[string]error{"confirmed": nil, "not confirmed": syscall.EIO} {
		t.Run(name, func(t *testing.T) {
			h := newHeldStore(t, Options{})
			var content bytes.Buffer
			begun, copied := make(chan struct{}), make(chan error, 1)
			early := false
			h.after = func() error {
				h.after = nil
				go func() {
					copied <- h.Copy(context.WithoutCancel(t.Context()), func(int64) (io.Writer, error) {
						close(begun)
						return &content, nil
					})
				}()
				select {
				case <-begun:
					early = true
				case <-time.After(20 * time.Millisecond):
				}
				return failure
			}
			if err := h.PutPeering(t.Context(), aggregator.Peering{Name: "new"}); (err == nil) != (failure == nil) {
				t.Fatal(err)
			}
			if err := <-copied; err != nil { // for ever, where the copy and the recovery wait for each other
				t.Fatal(err)
			}
			if early {
				t.Error("what may never have been was copied")
			}
			if !bytes.Contains(content.Bytes(), []byte("new")) {
				t.Error("what stands was not copied")
			}
		})
	}
}
