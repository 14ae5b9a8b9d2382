package operator

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/twofold-dap/twofold/internal/privatefile"
	"github.com/twofold-dap/twofold/store"
)

// witnessFile stands beside the database and says how far it has been. A database that is behind
// was put there by hand, from an older copy of the file: it does not know what the aggregator has counted and
// released since, and is not used.
const witnessFile = "witness.json"

// witnessInterval is how often a server writes the witness.
const witnessInterval = time.Minute

// witnessText is the file's content.
type witnessText struct {
	About       string `json:"about"`
	Instance    string `json:"instance"`
	Starts      uint64 `json:"starts"`
	Transaction uint64 `json:"transaction"`
}

const witnessAbout = "How far the database beside this file has been. Leave it where it is, and out of backups."

// OlderDatabaseError says that a directory's database is older than it has been.
type OlderDatabaseError struct {
	Database, Command string
	Dir               string
}

func (e *OlderDatabaseError) Error() string {
	return fmt.Sprintf("%s is older than it has been, or another one: it does not know what was counted and released since. Put the newest back, or run %s restore --dir %s --from %s, which refuses what it cannot know",
		e.Database, e.Command, e.Dir, e.Database)
}

// readWitness returns nil if there is none.
func (d *Directory) readWitness() (*store.Standing, error) {
	path := d.file(witnessFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var w witnessText
	var standing store.Standing
	if err = json.Unmarshal(text, &w); err == nil {
		var instance []byte
		if instance, err = hex.DecodeString(w.Instance); err == nil && len(instance) != len(standing.Instance) {
			err = errors.New("the instance has another length")
		}
		copy(standing.Instance[:], instance)
	}
	if err != nil {
		return nil, fmt.Errorf("%s is damaged (%v); if you are sure that the database was never put back from a copy, remove this file", path, err)
	}
	standing.Starts, standing.Transaction = w.Starts, w.Transaction
	return &standing, nil
}

// writeWitness replaces the witness, whole.
func (d *Directory) writeWitness(standing store.Standing) error {
	text, err := json.MarshalIndent(witnessText{witnessAbout, hex.EncodeToString(standing.Instance[:]), standing.Starts, standing.Transaction}, "", "  ")
	if err != nil {
		return err
	}
	return privatefile.Replace(d.file(witnessFile), append(text, '\n'))
}

// checkWitness refuses a database that is older than it has been.
func (d *Directory) checkWitness(ctx context.Context, s database) error {
	witness, err := d.readWitness()
	if err != nil || witness == nil {
		return err
	}
	standing, err := s.Standing(ctx)
	if err != nil {
		return err
	}
	if standing.Precedes(*witness) {
		return &OlderDatabaseError{Database: d.databasePath(), Command: d.role.String(), Dir: filepath.Clean(d.path)}
	}
	return nil
}

// startWitness notes that a server starts, and returns what keeps the witness up to date until its
// context ends. A disk that is full at the moment does not keep the server from starting.
func (l *local) startWitness(ctx context.Context, logger *slog.Logger) func(context.Context) error {
	if _, err := l.store.Start(ctx); err != nil {
		logger.Warn("the start was not noted", "error", err)
	}
	last := store.Standing{}
	write := func(ctx context.Context) {
		standing, err := l.store.Standing(ctx)
		if err == nil && standing != last && standing.Instance != (store.Standing{}).Instance {
			err = l.directory.writeWitness(standing)
		}
		if err != nil {
			logger.Warn("the witness of the database was not written", "error", err)
			return
		}
		last = standing
	}
	write(ctx)
	return func(ctx context.Context) error {
		ticker := time.NewTicker(witnessInterval)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				write(ctx)
			case <-ctx.Done():
				write(context.WithoutCancel(ctx))
				return nil
			}
		}
	}
}
