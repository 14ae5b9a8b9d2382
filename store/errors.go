package store

import (
	"errors"
	"fmt"

	"github.com/twofold-dap/twofold/aggregator"
)

// What can be wrong with a file when it is opened. Each comes in an *OpenError.
var (
	// ErrNoFile: there is no file at the path.
	ErrNoFile = errors.New("there is no database file")
	// ErrLocked: another process has the file open.
	ErrLocked = errors.New("another process has the database open")
	// ErrForeign: the file belongs to an aggregator of the other role.
	ErrForeign = errors.New("the database belongs to the other role")
	// ErrNewer: the file's schema version is not one that this program knows.
	ErrNewer = errors.New("the database has an unknown schema version")
	// ErrMigration: the file has an earlier schema version, and bringing it to this program's
	// was interrupted. The next opening goes on.
	ErrMigration = errors.New("the database could not be brought to this program's schema version")
	// ErrNotStore: the file is not a Twofold database.
	ErrNotStore = errors.New("the file is not a Twofold database")
	// ErrCorrupt: the file, or a record in it, is damaged.
	ErrCorrupt = errors.New("the database is damaged")
	// ErrWrongKey: the key does not open the file's sealed records.
	ErrWrongKey = errors.New("the key does not fit the database")
	// ErrUnreadable: the operating system does not give access to the file.
	ErrUnreadable = errors.New("the database file cannot be opened")
	// ErrCopy: the file is a copy that was put into its place by hand.
	ErrCopy = errors.New("the file is a copy of a database, and may not know what was done since")
	// ErrReplaced: another file is in the place of the one that was open, or another process has written to it.
	ErrReplaced = errors.New("the database was changed by someone else while it was open")
	// ErrNoSpace: the disk is full. It comes with aggregator.ErrUnavailable.
	ErrNoSpace = errors.New("the disk is full")
	// ErrUnconfirmed: what was read had not reached the disk, which has failed. It comes with aggregator.ErrUnavailable.
	ErrUnconfirmed = errors.New("the disk has not confirmed what was read")
	// ErrClosed: the store was closed. It comes with aggregator.ErrUnavailable.
	ErrClosed = errors.New("the store is closed")
)

// OpenError says why a file could not be opened as a store.
type OpenError struct {
	Path string
	// Problem is one of the errors above.
	Problem error
	// Detail may say more about the problem, Remedy what to do about it.
	Detail, Remedy string
}

func (e *OpenError) Error() string {
	text := fmt.Sprintf("store %s: %s", e.Path, e.Problem)
	if e.Detail != "" {
		text += " (" + e.Detail + ")"
	}
	if e.Remedy != "" {
		text += "; " + e.Remedy
	}
	return text
}

func (e *OpenError) Unwrap() error { return e.Problem }

// RecordError is a record that does not decode, or that contradicts another. It
// wraps ErrCorrupt; Check finds all such records.
type RecordError struct {
	// Record names the bucket and the key, Problem what is wrong with it. Neither is secret.
	Record  string
	Problem string
}

func (e *RecordError) Error() string {
	return fmt.Sprintf("store: record %s: %s", e.Record, e.Problem)
}

func (e *RecordError) Unwrap() error { return ErrCorrupt }

// InputError is a call that no state of the store could satisfy: the caller's
// mistake. Nothing was written.
type InputError struct {
	Field   string
	Problem string
}

func (e *InputError) Error() string { return fmt.Sprintf("store: %s: %s", e.Field, e.Problem) }

func inputError(field, format string, args ...any) error {
	return &InputError{Field: field, Problem: fmt.Sprintf(format, args...)}
}

// about wraps an error of the aggregator's contract with what it is about.
func about(err error, format string, args ...any) error {
	return fmt.Errorf("store: %s: %w", fmt.Sprintf(format, args...), err)
}

// unavailable is aggregator.ErrUnavailable because of cause.
func unavailable(cause error) error {
	return fmt.Errorf("store: %w: %w", aggregator.ErrUnavailable, cause)
}
