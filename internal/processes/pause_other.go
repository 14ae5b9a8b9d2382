//go:build !unix

package processes

import "errors"

// Pause is not possible on this system.
func (s *Server) Pause() error { return errors.ErrUnsupported }

// Resume is not possible on this system.
func (s *Server) Resume() error { return errors.ErrUnsupported }
