//go:build !linux

package store

import bolt "go.etcd.io/bbolt"

// releasePages does nothing where the kernel's accounting is not known.
func releasePages(*bolt.Tx) {}

// releaseRange does nothing either.
func releaseRange(*bolt.Tx, int64, int64) {}

// mappedMemory is not known on this system.
func mappedMemory() int64 { return 0 }
