package daphttp

import (
	"fmt"
	"io"
)

// BodyTooLargeError says that a body is longer than is allowed.
type BodyTooLargeError struct{ Limit int64 }

func (e *BodyTooLargeError) Error() string {
	return fmt.Sprintf("body is longer than the %d bytes allowed", e.Limit)
}

const (
	// firstAllocation bounds what is allocated on the strength of a declared length alone.
	firstAllocation = 16 << 10
	// growth is by how much a buffer grows when it is full: few copies, and while one is made the
	// old buffer is a small part of the new one.
	growth = 4
)

// ReadBody reads a body to its end. declared is its Content-Length, negative if
// it is not known; limit is the greatest length allowed, in bytes. Memory grows
// with what has arrived and not with what was declared. reserve, if not nil, is asked before
// each growth with the number of bytes by which the buffer is about to grow; its error ends the reading.
//
// A longer body is a *BodyTooLargeError; a declared length above the limit is one
// before anything is read.
func ReadBody(r io.Reader, declared, limit int64, reserve func(grow int64) error) ([]byte, error) {
	if declared > limit {
		return nil, &BodyTooLargeError{limit}
	}
	bound := limit // the length beyond which no buffer needs to grow
	if declared >= 0 {
		bound = declared
	}
	var body []byte
	for {
		if len(body) == cap(body) {
			// One byte more than the bound, so that the end or an excess is seen without another growth.
			grown := min(max(growth*int64(cap(body)), min(bound+1, firstAllocation)), bound+1)
			if 2*grown > bound { // nearly all: the rest is not worth another copy
				grown = min(bound+1, max(2*grown, firstAllocation))
			}
			if grown <= int64(cap(body)) {
				return nil, &BodyTooLargeError{limit}
			}
			if reserve != nil {
				if err := reserve(grown - int64(cap(body))); err != nil {
					return nil, err
				}
			}
			next := make([]byte, len(body), grown)
			copy(next, body)
			body = next
		}
		n, err := r.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if int64(len(body)) > bound {
			return nil, &BodyTooLargeError{limit}
		}
		if err == io.EOF { // itself, as io.Reader says: a wrapped one is a failure
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
