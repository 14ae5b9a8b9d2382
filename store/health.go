package store

import (
	"errors"
	"time"
)

// State is how a store is doing.
type State uint8

const (
	// StateReady: all is well.
	StateReady State = iota
	// StateFull: the disk has no space for uploads, which are refused. Everything else goes on as long as the
	// file itself has room, and what it frees is used again. The store tries again by itself.
	StateFull
	// StateFailing: the disk has refused a write. Nothing is written, and what was stored before is still
	// read. The store tries again by itself.
	StateFailing
	// StateFailed: the file is damaged or was changed by someone else. Nothing is written until the
	// server is started again; see Health.Problem for what to do before.
	StateFailed
)

// String is the state as operators see it.
func (s State) String() string {
	return [...]string{"ready", "full", "failing", "failed"}[s]
}

// Health is how a store is doing, since when, and why it is not ready.
type Health struct {
	State   State
	Since   time.Time
	Problem error // nil if it is ready
	// Remedy says what the operator can do.
	Remedy string
}

// Health tells how the store is doing.
func (s *store) Health() Health { return *s.health.Load() }

// setHealth changes the state and tells those who want to know. The first problem of a state stands.
func (s *store) setHealth(state State, problem error) {
	if old := s.health.Load(); old != nil && old.State == state {
		return
	}
	h := s.newHealth(state, problem)
	s.health.Store(&h)
	s.tell(h)
}

// tell tells those who want to know of a state.
func (s *store) tell(h Health) {
	if s.options.OnHealth != nil {
		s.options.OnHealth(h)
	}
}

func (s *store) newHealth(state State, problem error) Health {
	h := Health{State: state, Since: s.options.Now(), Problem: problem}
	switch state {
	case StateFull:
		h.Remedy = "make space on the disk; uploads are taken again as soon as there is some"
	case StateFailing:
		h.Remedy = "look after the disk; the server goes on by itself as soon as the disk writes again"
		if isNoSpace(problem) {
			h.Remedy = "make space on the disk; the server goes on by itself"
		}
	case StateFailed:
		h.Remedy = "stop the server and start it again"
		var open *OpenError
		if errors.As(problem, &open) && open.Remedy != "" {
			h.Remedy = open.Remedy
		}
	}
	return h
}

// refusal is why operations are not even queued, or nil.
func (s *store) refusal(upload bool) error {
	h := s.health.Load()
	if h.State > StateFull || h.State == StateFull && upload {
		return h.Problem
	}
	return nil
}
