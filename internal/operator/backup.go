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

// FileExistsError says that a file is not overwritten.
type FileExistsError struct{ Path string }

func (e *FileExistsError) Error() string {
	return e.Path + " is there already; choose another name. Nothing was changed"
}

// Backup has a service write a backup to a file, which must not exist. The file appears
// whole or not at all, and is on the disk when Backup returns.
func Backup(ctx context.Context, service api.OperatorService, path string) (size int64, err error) {
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		if err == nil {
			err = &FileExistsError{path}
		}
		return 0, err
	}
	takenAt := time.Now()
	file, err := os.CreateTemp(filepath.Dir(path), ".backup-*") // of mode 0600
	if err != nil {
		return 0, err
	}
	defer os.Remove(file.Name())
	err = service.Backup(ctx, func(n int64) (io.Writer, error) { size = n; return file, nil })
	if err = errors.Join(err, file.Close()); err != nil {
		return 0, err
	}
	if err := store.MarkCopy(file.Name(), takenAt); err != nil {
		return 0, fmt.Errorf("checking what has arrived: %w", err)
	}
	err = os.Link(file.Name(), path) // which, unlike Rename, never replaces a file
	if errors.Is(err, fs.ErrExist) {
		err = &FileExistsError{path}
	}
	if err != nil {
		return 0, err
	}
	return size, privatefile.SyncDirectory(filepath.Dir(path))
}

// Backup implements api.OperatorService.
func (s *service) Backup(ctx context.Context, begin func(size int64) (io.Writer, error)) error {
	return s.local.store.Copy(ctx, begin)
}
