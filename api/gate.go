package api

import (
	"sync/atomic"

	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/fairshare"
)

// class is a kind of request with limits of its own, which its tasks share.
type class struct {
	maxBody int64
	places  *fairshare.Pool[dap.TaskID] // requests that are worked on
	bytes   *fairshare.Pool[dap.TaskID] // of bodies in memory
}

func newClass(maxBody int64, places int, bytes int64) *class {
	return &class{maxBody, fairshare.New[dap.TaskID](int64(places), nil), fairshare.New[dap.TaskID](bytes, nil)}
}

// pass is what one request has taken of its class. It belongs to one goroutine.
type pass struct {
	place, bytes *fairshare.Grant[dap.TaskID]
}

// declare tells whether a body of this length fits now; negative: its length is not known.
func (c *class) declare(task dap.TaskID, length int64) error {
	if !c.bytes.Would(task, max(length, 0)) {
		return errTooManyRequests
	}
	return nil
}

// reserve takes bytes of what the class may hold, or returns errTooManyRequests.
func (p *pass) reserve(c *class, task dap.TaskID, n int64) error {
	ok := true
	if p.bytes == nil {
		p.bytes, ok = c.bytes.TryTake(task, n)
	} else {
		ok = p.bytes.Grow(n)
	}
	if !ok {
		return errTooManyRequests
	}
	return nil
}

// enter takes a place among the requests that are worked on, or returns errTooManyRequests.
func (p *pass) enter(c *class, task dap.TaskID) error {
	var ok bool
	if p.place, ok = c.places.TryTake(task, 1); !ok {
		return errTooManyRequests
	}
	return nil
}

// leave gives the place and the bytes back.
func (p *pass) leave() {
	if p.place != nil {
		p.place.Release()
	}
	if p.bytes != nil {
		p.bytes.Release()
	}
}

// counter bounds how many there are at once.
type counter struct {
	most int64
	now  atomic.Int64
}

func (c *counter) enter() bool {
	if c.now.Add(1) > c.most {
		c.now.Add(-1)
		return false
	}
	return true
}

func (c *counter) leave() { c.now.Add(-1) }
