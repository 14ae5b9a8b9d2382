package operator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/internal/privatefile"
	"github.com/twofold-dap/twofold/store"
)

// RestoreResult says what was restored.
type RestoreResult struct {
	// TakenAt is when the copy was made; nil if the file was not made by backup.
	TakenAt *time.Time `json:"taken_at,omitempty"`
	// Until: reports with a time before it are refused, and batches that reach before it count as collected.
	Until time.Time `json:"until"`
	Tasks uint64    `json:"tasks"`
	// GivenUp is how many reports of the copy were not collected, and will not be.
	GivenUp uint64 `json:"reports_given_up"`
	// Kept is where the database is that stood there before; empty if there was none.
	Kept string `json:"kept,omitempty"`
}

// restoreLeeway is how far a report's time may have been in the future when it was counted: what an
// aggregator accepts, and as much again for clocks that have been set since.
const restoreLeeway = 10 * time.Minute

// Restore puts a copy of a database in the place of the directory's. No server may run on it. The copy is not
// changed, and the database that stands there is kept under another name. until is later than the time of any report that
// was counted since; zero stands for now and some leeway.
func (d *Directory) Restore(ctx context.Context, from string, until time.Time) (RestoreResult, error) {
	if until.IsZero() {
		until = time.Now().Add(restoreLeeway)
	}
	if err := d.checkStopped(ctx); err != nil {
		return RestoreResult{}, err
	}
	key, err := readRootKey(d.file(keyFile))
	if err != nil {
		return RestoreResult{}, err
	}
	storeKey, err := key.storeKey()
	if err != nil {
		return RestoreResult{}, err
	}
	release, err := store.Claim(d.databasePath())
	if err != nil {
		return RestoreResult{}, err
	}
	temporary, err := copyFile(ctx, from, d.path)
	if err != nil {
		return RestoreResult{}, errors.Join(err, release())
	}
	defer os.Remove(temporary)
	result := RestoreResult{Until: until.UTC().Truncate(time.Second)}
	restored, err := store.Restore(ctx, temporary, d.role, storeKey, result.Until, store.Options{})
	if err != nil {
		return RestoreResult{}, errors.Join(fmt.Errorf("restoring %s: %w", from, err), release())
	}
	result.Tasks, result.GivenUp = restored.Tasks, restored.GivenUp
	if !restored.TakenAt.IsZero() {
		at := restored.TakenAt.UTC()
		result.TakenAt = &at
	}
	result.Kept, err = d.exchange(temporary, restored.Standing)
	return result, errors.Join(err, release())
}

// checkStopped makes sure that no server runs on the directory.
func (d *Directory) checkStopped(ctx context.Context) error {
	remote := api.NewOperatorClient(d.Socket())
	defer remote.Close()
	err := remote.Health(ctx)
	if errors.Is(err, api.ErrNoServer) {
		return nil
	}
	if err == nil {
		err = fmt.Errorf("a server is running on %s; stop it first", d.path)
	}
	return err
}

// copyFile copies a file into a directory, under a name of its own.
func copyFile(ctx context.Context, from, dir string) (path string, err error) {
	in, err := os.Open(from)
	if err != nil {
		return "", err
	}
	defer in.Close()
	if info, err := in.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("%s is not a file", from))
	}
	out, err := os.CreateTemp(dir, ".restoring-*")
	if err != nil {
		return "", err
	}
	_, err = io.Copy(out, &cancellable{ctx, in})
	if err = errors.Join(err, out.Sync(), out.Close()); err != nil {
		return "", errors.Join(err, os.Remove(out.Name()))
	}
	return out.Name(), nil
}

// cancellable ends when its context does.
type cancellable struct {
	ctx context.Context
	r   io.Reader
}

func (c *cancellable) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}

// exchange puts a restored database into its place. At each moment there is one, and until the witness
// is written as well no server starts on the new one.
func (d *Directory) exchange(restored string, standing store.Standing) (kept string, err error) {
	path := d.databasePath()
	for n := 1; ; n++ {
		kept = fmt.Sprintf("%s.before-restore-%d", path, n)
		if err = os.Link(path, kept); !errors.Is(err, fs.ErrExist) {
			break
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		kept, err = "", nil
	}
	if err != nil {
		return "", err
	}
	if err := os.Rename(restored, path); err != nil {
		return kept, err
	}
	return kept, errors.Join(privatefile.SyncDirectory(filepath.Dir(path)), d.writeWitness(standing))
}
