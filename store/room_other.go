//go:build !linux

package store

import (
	"errors"
	"os"
)

// allocate promises nothing on this system.
func allocate(*os.File, int64, int64) error { return errors.ErrUnsupported }

// forgetPages does nothing on this system.
func forgetPages(*os.File) {}
