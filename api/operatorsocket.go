package api

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// maxSocketPath is the length in bytes up to which a path can name a unix
// socket on every system that we know.
const maxSocketPath = 103

// ErrOperatorRunning says that a server answers at an operator socket already.
var ErrOperatorRunning = errors.New("a server is running here already")

// ListenOperator listens on a unix socket at path, which only its owner can
// open (mode 0600). A socket that a dead server left behind is replaced; if a server
// answers there, the error is ErrOperatorRunning. The socket's file goes when
// the listener is closed. The error is a *ListenError.
func ListenOperator(path string) (net.Listener, error) {
	fail := func(err error) (net.Listener, error) { return nil, &ListenError{path, err} }
	if _, release, err := shortSocketPath(path); err != nil { // nobody could connect to it
		return fail(err)
	} else {
		release()
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if conn, err := dialSocket(ctx, path); err == nil {
		_ = conn.Close()
		return fail(ErrOperatorRunning)
	}
	if info, err := os.Lstat(path); err == nil && info.Mode().Type() != os.ModeSocket {
		return fail(errors.New("a file that is no socket is in the way"))
	}
	// The socket comes into being in a directory that nobody else can enter, and
	// moves to its place once its mode is right: there is no moment at which others could open it.
	private, err := os.MkdirTemp(filepath.Dir(path), ".s")
	if err != nil {
		return fail(err)
	}
	defer func() { _ = os.RemoveAll(private) }()
	temporary := filepath.Join(private, "s")
	short, release, err := shortSocketPath(temporary)
	if err != nil {
		return fail(err)
	}
	defer release()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: short, Net: "unix"})
	if err != nil {
		return fail(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := errors.Join(os.Chmod(temporary, 0o600), os.Rename(temporary, path)); err != nil {
		_ = listener.Close()
		return fail(err)
	}
	return &operatorListener{UnixListener: listener, path: path}, nil
}

// dialSocket connects to the unix socket at path, however long that is.
func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	short, release, err := shortSocketPath(path)
	if err != nil {
		return nil, err
	}
	defer release()
	var dialer net.Dialer
	return dialer.DialContext(ctx, "unix", short)
}

// operatorListener removes its socket's file once.
type operatorListener struct {
	*net.UnixListener
	path string
	once sync.Once
}

func (l *operatorListener) Close() error {
	err := l.UnixListener.Close()
	l.once.Do(func() {
		if removeErr := os.Remove(l.path); removeErr != nil && !errors.Is(removeErr, os.ErrNotExist) {
			err = errors.Join(err, removeErr)
		}
	})
	return err
}

// Addr returns the socket's address at its final place.
func (l *operatorListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// noServer tells whether a dial failed because no server is there.
func noServer(err error) bool {
	return errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED)
}

// DialOperator returns what connects to the unix socket at path, for http.Transport.DialContext. If no server
// answers there its error is ErrNoServer.
func DialOperator(path string) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		conn, err := dialSocket(ctx, path)
		if err != nil && noServer(err) {
			return nil, ErrNoServer
		}
		return conn, err
	}
}
