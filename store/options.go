package store

import (
	"time"
)

// Options tune a store. The zero value is what a server uses.
type Options struct {
	// Create makes the file if there is none. Its directory must exist.
	Create bool
	// LockTimeout is how long to wait for another process that has the file
	// open; zero means one second.
	LockTimeout time.Duration
	// QueueLength bounds the operations that wait for a transaction, uploads and
	// all others separately; what does not fit is aggregator.ErrBusy. Zero means 1024.
	QueueLength int
	// Now is the clock for the times that the store itself records. Nil means time.Now.
	Now func() time.Time
	// CommitHook, if not nil, is called at every commit, for tests: an error makes
	// the commit fail at that stage.
	CommitHook func(CommitStage) error
	// OnHealth, if not nil, is told whenever the store's health changes. It must not call the store.
	OnHealth func(Health)
	// RetryInterval is how long to wait before a disk that failed is tried again; zero means one second.
	RetryInterval time.Duration
	// FilterBytes bounds the memory of the filter that knows most new report IDs for new, which takes 2 bytes for each ID
	// while that is less. Zero means 32 MiB, which is enough for 20 million; negative that there is no filter. About as much again may be
	// taken by the newest IDs.
	FilterBytes int
	// MappedBytes bounds the memory that mapped pages of the file may take after a transaction, with the program's own; zero means
	// 80 MiB. It is the kernel's cache, but counts as the process's.
	MappedBytes int64
	// PageSize is that of a file that is made, in bytes: a power of two from 1,024 to 65,536. Zero means 16,384: a report of a few kilobytes then
	// leaves little of its page empty, and of a large file less is mapped and written for what is read and changed. A file keeps the page size that it has.
	PageSize int
	// LeastRecentIDs is how many of a task's newest report IDs may be kept in the order in which they came before any is
	// sorted among the others. Zero means 512; with fewer it comes sooner, for tests.
	LeastRecentIDs int

	// NoSync does not wait for the disk, for tests: what was written last may be lost with the power.
	NoSync bool
}

// CommitStage is a moment of a commit.
type CommitStage int

const (
	// BeforeCommit: nothing of the transaction has reached the disk. It fails and is undone.
	BeforeCommit CommitStage = iota + 1
	// AfterCommit: the transaction is on the disk whole, but its callers are told that it failed. The
	// store then finds out what the disk holds, as after every failure to confirm.
	AfterCommit
	// Recovering: the store is about to find out what the disk holds. The attempt fails.
	Recovering
)

const (
	defaultLockTimeout = time.Second
	defaultQueueLength = 1024
	defaultRetry       = time.Second
	defaultFilter      = 32 << 20
	defaultMapped      = 80 << 20
	defaultPageSize    = 16 << 10
)

func (o Options) withDefaults() Options {
	if o.LockTimeout <= 0 {
		o.LockTimeout = defaultLockTimeout
	}
	if o.QueueLength <= 0 {
		o.QueueLength = defaultQueueLength
	}
	if o.RetryInterval <= 0 {
		o.RetryInterval = defaultRetry
	}
	if o.FilterBytes == 0 {
		o.FilterBytes = defaultFilter
	}
	if o.MappedBytes == 0 {
		o.MappedBytes = defaultMapped
	}
	if o.PageSize == 0 {
		o.PageSize = defaultPageSize
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}
