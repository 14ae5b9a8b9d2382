//go:build unix

package processes

import "syscall"

// Pause stops the server's process where it stands, with SIGSTOP: the system still
// takes connections for it, and nothing is answered. Kill ends it all the same.
func (s *Server) Pause() error { return s.signal(syscall.SIGSTOP) }

// Resume lets a process that was paused go on.
func (s *Server) Resume() error { return s.signal(syscall.SIGCONT) }

func (s *Server) signal(signal syscall.Signal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return s.fail("is not running")
	}
	if err := s.process.Process.Signal(signal); err != nil {
		return s.fail("has ended by itself")
	}
	return nil
}
