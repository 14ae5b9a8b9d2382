package api_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/api"
)

// serve runs a server until the test ends, and returns how to stop it earlier.
func serve(t *testing.T, handler http.Handler, options api.ServerOptions) (server *api.Server, stop func() error) {
	t.Helper()
	if options.Address == "" {
		options.Address = "127.0.0.1:0"
	}
	options.Logger = slog.New(slog.DiscardHandler)
	server, err := api.NewServer(handler, options)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	stopped := false
	stop = func() error {
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		return <-done
	}
	t.Cleanup(func() { _ = stop() })
	return server, stop
}

func hello(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello over "+r.Proto) }

func get(t *testing.T, client *http.Client, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, client, r).body
}

func TestServerStopsWhenRequestsAreDone(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	server, stop := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(entered)
		<-leave
		hello(w, r)
	}), api.ServerOptions{})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	url := "http://" + server.Addr().String()
	body := make(chan string, 1)
	go func() { body <- get(t, client, url) }()
	<-entered
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	for { // the listener closes at once, while the request goes on
		conn, err := net.Dial("tcp", server.Addr().String())
		if err != nil {
			break
		}
		_ = conn.Close()
		time.Sleep(time.Millisecond)
	}
	select {
	case err := <-stopped:
		t.Fatalf("stopped with a request under way: %v", err)
	default:
	}
	close(leave)
	if err := <-stopped; err != nil {
		t.Errorf("stopped with %v", err)
	}
	if got := <-body; got != "hello over HTTP/1.1" {
		t.Errorf("body %q", got)
	}
}

func TestServerCutsOffWhatDoesNotEnd(t *testing.T) {
	entered := make(chan struct{})
	server, stop := serve(t, http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(entered)
		<-r.Context().Done()
	}), api.ServerOptions{ShutdownTimeout: 20 * time.Millisecond})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	failed := make(chan error, 1)
	go func() {
		response, err := client.Get("http://" + server.Addr().String())
		if err == nil {
			_ = response.Body.Close()
		}
		failed <- err
	}()
	<-entered
	if err := stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("the request was answered")
	}
}

func TestPortInUse(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	address := listener.Addr().String()
	_, err = api.NewServer(http.HandlerFunc(hello), api.ServerOptions{Address: address})
	if e, ok := errors.AsType[*api.ListenError](err); !ok || e.Address != address || !errors.Is(err, syscall.EADDRINUSE) {
		t.Fatalf("error %v", err)
	}
	for _, part := range []string{address, "another program", "choose another"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	_, err = api.NewServer(http.HandlerFunc(hello), api.ServerOptions{Address: "127.0.0.1"})
	if _, ok := errors.AsType[*api.ListenError](err); !ok {
		t.Errorf("address without a port: %v", err)
	}
}

func TestServerTakesAListener(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, stop := serve(t, http.HandlerFunc(hello), api.ServerOptions{Listener: listener})
	client := &http.Client{Transport: &http.Transport{}}
	if got := get(t, client, "http://"+server.Addr().String()); got != "hello over HTTP/1.1" {
		t.Errorf("body %q", got)
	}
	client.CloseIdleConnections()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if server.Addr().String() != listener.Addr().String() || server.TLS() {
		t.Error("another address, or TLS")
	}
}

func TestServerClosedBeforeItServes(t *testing.T) {
	// The address cannot be taken again to see that it is free: somebody else may be quicker.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server, err := api.NewServer(http.HandlerFunc(hello), api.ServerOptions{Listener: listener})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if err := listener.Close(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the listener is still open: closing it says %v", err)
	}
	if err := server.Serve(t.Context()); err != nil {
		t.Errorf("Serve after Close: %v", err)
	}
}

func TestSlowHeader(t *testing.T) {
	server, _ := serve(t, http.HandlerFunc(hello), api.ServerOptions{ReadHeaderTimeout: 20 * time.Millisecond})
	conn, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, _ = io.WriteString(conn, "GET / HTTP/1.1\r\nHost:")
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	// The end is a reset if the time was over before the server could read the line.
	if rest, err := io.ReadAll(conn); err != nil && !errors.Is(err, syscall.ECONNRESET) || strings.Contains(string(rest), "hello") {
		t.Errorf("%q, %v", rest, err)
	}
}

// The time for a header is not the time for a body, nor for the handler.
func TestSlowBodyAfterAHeader(t *testing.T) {
	inTime(t, "the body", func(limit time.Duration) bool {
		entered := make(chan struct{}, 1)
		server, _ := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			entered <- struct{}{}
			body, err := io.ReadAll(r.Body)
			time.Sleep(2 * limit)
			_, _ = fmt.Fprintf(w, "%s, %v, %v", body, err, r.Context().Err())
		}), api.ServerOptions{ReadHeaderTimeout: limit})
		conn, reader := dial(t, server.Addr().String())
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
		time.Sleep(3 * limit)
		_, _ = io.WriteString(conn, "late")
		response, err := http.ReadResponse(reader, nil)
		if err != nil && len(entered) == 0 {
			return false // the header itself came late
		}
		if err != nil {
			t.Error(err)
			return true
		}
		defer func() { _ = response.Body.Close() }()
		if body, err := io.ReadAll(response.Body); err != nil || string(body) != "late, <nil>, <nil>" {
			t.Errorf("%q, %v", body, err)
		}
		return true
	})
}

func TestHeaderOverTheLimit(t *testing.T) {
	server, _ := serve(t, http.HandlerFunc(hello), api.ServerOptions{MaxHeaderBytes: 1000})
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	r, _ := http.NewRequestWithContext(t.Context(), "GET", "http://"+server.Addr().String(), nil)
	r.Header.Set("X", strings.Repeat("x", 100_000))
	if got := send(t, client, r); got.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", got.StatusCode)
	}
}

// writeCertificate makes a self-signed certificate for 127.0.0.1.
func writeCertificate(t *testing.T, directory string) (certificateFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "test"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certificateFile, keyFile = filepath.Join(directory, "cert.pem"), filepath.Join(directory, "key.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := errors.Join(os.WriteFile(certificateFile, certificate, 0o600),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600)); err != nil {
		t.Fatal(err)
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	return certificateFile, keyFile, pool
}

func TestTLS(t *testing.T) {
	certificateFile, keyFile, pool := writeCertificate(t, t.TempDir())
	server, _ := serve(t, http.HandlerFunc(hello), api.ServerOptions{CertificateFile: certificateFile, KeyFile: keyFile})
	if !server.TLS() {
		t.Error("not TLS")
	}
	for _, http2 := range []bool{true, false} {
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}, ForceAttemptHTTP2: http2}}
		want := map[bool]string{true: "hello over HTTP/2.0", false: "hello over HTTP/1.1"}[http2]
		if got := get(t, client, "https://"+server.Addr().String()); got != want {
			t.Errorf("body %q, want %q", got, want)
		}
		client.CloseIdleConnections()
	}
}

func TestUnusableCertificates(t *testing.T) {
	directory := t.TempDir()
	certificateFile, keyFile, _ := writeCertificate(t, directory)
	_, otherKey, _ := writeCertificate(t, t.TempDir())
	for name, files := range map[string][2]string{
		"key missing": {certificateFile, ""}, "certificate missing": {"", keyFile}, "no such file": {certificateFile, filepath.Join(directory, "none")},
		"not PEM": {keyFile, certificateFile}, "not its key": {certificateFile, otherKey},
	} {
		_, err := api.NewServer(http.HandlerFunc(hello), api.ServerOptions{Address: "127.0.0.1:0", CertificateFile: files[0], KeyFile: files[1]})
		if _, ok := errors.AsType[*api.CertificateError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
