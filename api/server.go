package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"syscall"
	"time"
)

// ServerOptions configure NewServer.
type ServerOptions struct {
	// Address is where to listen, as "host:port"; port 0 takes a free one. Not
	// used if Listener is set.
	Address string
	// Listener, if not nil, is used in place of Address. The server closes it.
	Listener net.Listener
	// CertificateFile and KeyFile are PEM files. With both the server speaks TLS (HTTP/2
	// and HTTP/1.1), with neither plain HTTP/1.1.
	CertificateFile, KeyFile string
	// Logger takes the server's own messages. Nil: slog.Default().
	Logger *slog.Logger

	// Zero fields have the default in the comment.
	ReadHeaderTimeout time.Duration // from the connection to the end of the header: 10 seconds
	IdleTimeout       time.Duration // of a connection between two requests: 2 minutes
	ShutdownTimeout   time.Duration // for requests under way when the server stops: 30 seconds
	MaxHeaderBytes    int           // 16 KiB
	// MaxConnections bounds the connections: 2048. One more takes the place of the one that
	// has waited longest without a request; if each has one, it is answered 503.
	MaxConnections int
	// MaxConnectionsPerAddress, if not zero, bounds those of one client's address. Behind a
	// proxy all clients have the proxy's.
	MaxConnectionsPerAddress int
}

// http2Config keeps what one connection of HTTP/2 can make the server hold within
// what several connections of HTTP/1.1 can.
var http2Config = &http.HTTP2Config{
	MaxConcurrentStreams:          32,
	MaxReadFrameSize:              16 << 10,
	MaxReceiveBufferPerConnection: 1 << 20,
	MaxReceiveBufferPerStream:     256 << 10,
}

// Server is an HTTP server with limits on how long and how much a connection
// may take before a handler sees it; the handlers of this package bound the
// rest.
type Server struct {
	http            *http.Server
	listener        net.Listener
	tls             bool
	shutdownTimeout time.Duration
	logger          *slog.Logger
}

// ListenError says why a server cannot listen at an address.
type ListenError struct {
	Address string
	Err     error
}

func (e *ListenError) Error() string {
	remedy := ""
	switch {
	case errors.Is(e.Err, syscall.EADDRINUSE):
		return fmt.Sprintf("cannot listen on %s: another program uses this port; stop it, or choose another address", e.Address)
	case errors.Is(e.Err, syscall.EACCES):
		remedy = "; ports below 1024 need a privilege, choose another or grant it"
	case errors.Is(e.Err, syscall.EADDRNOTAVAIL):
		remedy = "; the host must be one of this machine's addresses"
	}
	return fmt.Sprintf("cannot listen on %s: %v%s", e.Address, e.Err, remedy)
}

// Unwrap returns the cause, such as syscall.EADDRINUSE.
func (e *ListenError) Unwrap() error { return e.Err }

// CertificateError says why a server's certificate cannot be used.
type CertificateError struct {
	CertificateFile, KeyFile string
	Err                      error
}

func (e *CertificateError) Error() string {
	return fmt.Sprintf("TLS certificate %q with key %q: %v", e.CertificateFile, e.KeyFile, e.Err)
}

// Unwrap returns the cause.
func (e *CertificateError) Unwrap() error { return e.Err }

// NewServer listens, so that an address that cannot be had is an error at once
// (a *ListenError), and loads the certificate (else a *CertificateError). Serve
// answers requests; Close gives the address back if Serve is not to be called.
func NewServer(handler http.Handler, options ServerOptions) (*Server, error) {
	setDefault(&options.ReadHeaderTimeout, 10*time.Second)
	setDefault(&options.IdleTimeout, 2*time.Minute)
	setDefault(&options.ShutdownTimeout, 30*time.Second)
	setDefault(&options.MaxHeaderBytes, 16<<10)
	setDefault(&options.MaxConnections, 2048)
	if options.Logger == nil {
		options.Logger = slog.Default()
	}
	config, err := tlsConfig(options.CertificateFile, options.KeyFile)
	if err != nil {
		return nil, err
	}
	listener := options.Listener
	if listener == nil {
		if listener, err = net.Listen("tcp", options.Address); err != nil {
			return nil, &ListenError{options.Address, err}
		}
	}
	bounded := newConnections(options.MaxConnections, options.MaxConnectionsPerAddress, config == nil, time.Second)
	return &Server{
		http: &http.Server{
			Handler:           handler,
			TLSConfig:         config,
			HTTP2:             http2Config,
			ConnState:         bounded.changed,
			ReadHeaderTimeout: options.ReadHeaderTimeout,
			IdleTimeout:       options.IdleTimeout,
			MaxHeaderBytes:    options.MaxHeaderBytes,
			// What net/http has to say names clients' addresses, and is about
			// connections that broke: it is for debugging.
			ErrorLog: slog.NewLogLogger(options.Logger.Handler(), slog.LevelDebug),
		},
		listener:        bounded.listen(listener),
		tls:             config != nil,
		shutdownTimeout: options.ShutdownTimeout,
		logger:          options.Logger,
	}, nil
}

func tlsConfig(certificateFile, keyFile string) (*tls.Config, error) {
	if certificateFile == "" && keyFile == "" {
		return nil, nil
	}
	if certificateFile == "" || keyFile == "" {
		return nil, &CertificateError{certificateFile, keyFile, errors.New("one of the two files is not set; TLS needs both")}
	}
	pair, err := newCertificateFiles(certificateFile, keyFile)
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: pair.get}, nil
}

// Addr returns the address that the server listens on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// TLS tells whether the server speaks TLS.
func (s *Server) TLS() bool { return s.tls }

// Serve answers requests until ctx ends. Then it takes no new ones, lets those
// under way finish within the shutdown timeout, and closes the rest. It returns nil after such an
// end, however many were cut off (that is logged), else why it could not go on. Call it once.
func (s *Server) Serve(ctx context.Context) error {
	served := make(chan error, 1)
	go func() {
		if s.tls {
			served <- s.http.ServeTLS(s.listener, "", "")
		} else {
			served <- s.http.Serve(s.listener)
		}
	}()
	select {
	case err := <-served:
		if errors.Is(err, http.ErrServerClosed) {
			return nil // by Close
		}
		return fmt.Errorf("serving on %s: %w", s.listener.Addr(), err)
	case <-ctx.Done():
	}
	draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.shutdownTimeout)
	defer cancel()
	if err := s.http.Shutdown(draining); err != nil {
		s.logger.Warn("requests were cut off at shutdown", "after", s.shutdownTimeout)
		_ = s.http.Close() // only reports that the listener is closed already
	}
	<-served
	return nil
}

// Close closes the listener and every connection at once.
func (s *Server) Close() error {
	err := s.http.Close()
	if listenerErr := s.listener.Close(); err == nil && !errors.Is(listenerErr, net.ErrClosed) {
		err = listenerErr
	}
	return err
}
