package processes

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// startPatience is how long a server may take until it answers: a large
	// database is checked first, and the machine may be busy.
	startPatience = 2 * time.Minute
	// drainPatience is how long a server may take to end what it has begun: its
	// own limits, and some time for a busy machine.
	drainPatience = time.Minute
	logTail       = 4 << 10
)

// Server is a Leader or a Helper: its directory, its URL, and its process while
// it runs. Its methods may be called by several goroutines.
type Server struct {
	Role string // "leader", "helper" or "collector", which is also its command
	Dir  string
	// URL is where others reach the server, and Listen the address it listens on,
	// which differ if something stands between.
	URL, Listen string
	// Args are further arguments of its command serve.
	Args []string

	programs *Programs
	logPath  string
	probe    string // the resource that answers once the server is up

	mu      sync.Mutex
	process *exec.Cmd
	ended   chan struct{} // closed when the process has ended
}

// ServerError says that a server did not do what it should.
type ServerError struct {
	Role    string
	Problem string
	Log     string // the end of its log
}

func (e *ServerError) Error() string {
	return fmt.Sprintf("the %s %s; its log ends with:\n%s", e.Role, e.Problem, e.Log)
}

func newServer(programs *Programs, role, dir string, site Site) *Server {
	return &Server{
		Role: role, Dir: filepath.Join(dir, role), URL: site.URL, Listen: site.Listen,
		programs: programs, logPath: filepath.Join(dir, role+".log"), probe: "hpke_config",
	}
}

// LogPath is the file that all of the server's processes write their log to.
func (s *Server) LogPath() string { return s.logPath }

// direct returns a URL that reaches the server without what may stand between.
func (s *Server) direct(resource string) (string, error) {
	base, err := url.Parse(s.URL)
	if err != nil {
		return "", err
	}
	base.Host = s.Listen
	return base.JoinPath(resource).String(), nil
}

// Start starts the server and waits until it answers requests. Its log goes on
// from one start to the next.
func (s *Server) Start(ctx context.Context) error {
	if err := s.Launch(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startPatience, errors.New("the server does not answer"))
	defer cancel()
	if err := s.waitUntilUp(ctx); err != nil {
		return errors.Join(err, s.Kill())
	}
	return nil
}

// Launch starts the server's process, and does not wait for it.
func (s *Server) Launch() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return fmt.Errorf("the %s is running already", s.Role)
	}
	log, err := os.OpenFile(s.logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close() // the process has its own
	command := exec.Command(s.programs.path(s.Role), append([]string{"serve", "--dir", s.Dir}, s.Args...)...)
	command.Stdout, command.Stderr = log, log
	command.SysProcAttr = attributes()
	if err := command.Start(); err != nil {
		return fmt.Errorf("starting the %s: %w", s.Role, err)
	}
	ended := make(chan struct{})
	s.process, s.ended = command, ended
	go func() {
		_ = command.Wait() // how it ended stands in its log
		close(ended)
	}()
	return nil
}

// waitUntilUp asks an aggregator for the HPKE configurations (DAP Section 4.4.1), which every
// one offers, and a Collector for its login, until there is an answer.
func (s *Server) waitUntilUp(ctx context.Context) error {
	ended := s.running()
	if ended == nil {
		return fmt.Errorf("the %s was stopped while it started", s.Role)
	}
	probe, err := s.direct(s.probe)
	if err != nil {
		return err
	}
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, probe, nil)
		if err != nil {
			return err
		}
		if response, err := client.Do(request); err == nil {
			_, _ = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ended:
			return s.fail("has ended instead of starting")
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), s.fail("does not answer"))
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// running returns what is closed when the process ends, or nil if there is none.
func (s *Server) running() chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ended
}

// PID returns the process's ID, or 0 if there is none.
func (s *Server) PID() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return 0
	}
	return s.process.Process.Pid
}

// Stop tells the server to stop, as its operator would, and waits until it has. One that
// does not stop in time is killed, which is an error, as is one that has ended
// before. Without a process it does nothing.
func (s *Server) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	defer func() { s.process, s.ended = nil, nil }()
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		<-s.ended
		return s.fail("had ended before it was stopped")
	}
	select {
	case <-s.ended:
	case <-time.After(drainPatience):
		_ = s.process.Process.Kill() // it may have ended in this moment
		<-s.ended
		return s.fail("did not stop in time, and was killed")
	}
	if !s.process.ProcessState.Success() {
		return s.fail("stopped with an error")
	}
	return nil
}

// Kill kills the server with SIGKILL and waits until it is gone. One that has
// ended by itself before is an error. Without a process it does nothing.
func (s *Server) Kill() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return nil
	}
	defer func() { s.process, s.ended = nil, nil }()
	select {
	case <-s.ended:
		return s.fail("had ended before it was killed")
	default:
	}
	if err := s.process.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("killing the %s: %w", s.Role, err)
	}
	<-s.ended
	return nil
}

func (s *Server) fail(problem string) error {
	return &ServerError{s.Role, problem, s.Log()}
}

// Log returns the end of the server's log.
func (s *Server) Log() string {
	log, err := os.ReadFile(s.logPath)
	if err != nil {
		return "(" + err.Error() + ")"
	}
	if len(log) > logTail {
		log = log[len(log)-logTail:]
		if i := strings.IndexByte(string(log), '\n'); i >= 0 {
			log = log[i+1:]
		}
	}
	return strings.TrimSpace(string(log))
}
