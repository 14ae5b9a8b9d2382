// Package privatefile writes and reads files that are for their owner alone, such
// as keys. What they hold is in no error.
package privatefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// SharedError says that others than its owner may read a file.
type SharedError struct {
	Path string
	Mode fs.FileMode
}

func (e *SharedError) Error() string {
	return fmt.Sprintf("%s: others may read it (mode %04o); run chmod 600 on it, and consider the key known", e.Path, e.Mode)
}

// Write makes a file of mode 0600, which must not exist, whole or not at all; else
// the error is fs.ErrExist. The file and its name are on the disk when it returns.
func Write(path string, text []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*") // of mode 0600, and never an existing file
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Link(f.Name(), path) // which, unlike Rename, never replaces a file
	}
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return err
	}
	return SyncDirectory(dir)
}

// Replace makes a file of mode 0600, or puts a new one in the place of the one that is there. Whoever opens it
// finds the one or the other whole. It is on the disk when Replace returns.
func Replace(path string, text []byte) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return SyncDirectory(dir)
}

// SyncDirectory has the names in a directory on the disk when it returns.
func SyncDirectory(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

// Read reads a file of at most limit bytes. If others than its owner may read it
// the error is a *SharedError.
func Read(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file", path)
	case info.Mode().Perm()&0o077 != 0:
		return nil, &SharedError{path, info.Mode().Perm()}
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(text)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes; is it the right file?", path, limit)
	}
	return text, err
}
