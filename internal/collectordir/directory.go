// Package collectordir is a Collector's directory as a service: where the state machine of collector/service meets its store
// and its HTTP. A running service is operated through a socket in the directory, by the same commands that
// work on the database when none runs; both speak the API of collector/web.
//
// The Collector's private key is secret, and so is the key of the database, which is derived from it.
package collectordir

import (
	"context"
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"path/filepath"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/collector/resultstore"
	"github.com/twofold-dap/twofold/collector/service"
	"github.com/twofold-dap/twofold/collector/web"
	"github.com/twofold-dap/twofold/dap"
	"github.com/twofold-dap/twofold/internal/sealed"
	"github.com/twofold-dap/twofold/internal/secret"
)

// Names in the directory.
const (
	databaseFile = "collector.db"
	socketFile   = "collector.sock"
)

// Directory is an initialized directory with its key.
type Directory struct {
	Path    string
	Keypair dap.HpkeKeypair
	// AllowPlain allows Leaders with an http URL on another machine.
	AllowPlain bool
}

func (d *Directory) file(name string) string { return filepath.Join(filepath.Clean(d.Path), name) }

// databaseKey derives the key that seals the Leaders' tokens from the Collector's private key, so that there is but one secret to keep.
func (d *Directory) databaseKey() (secret.Bytes, error) {
	private, err := d.Keypair.MarshalPrivate()
	if err != nil {
		return nil, err
	}
	return hkdf.Key(sha256.New, private, nil, "twofold collector database, version 1", sealed.KeySize)
}

// local is a directory with its database open.
type local struct {
	store   *resultstore.Store
	service *service.Service
}

func (d *Directory) open(logger *slog.Logger) (*local, error) {
	key, err := d.databaseKey()
	if err != nil {
		return nil, err
	}
	store, err := resultstore.Open(d.file(databaseFile), key, resultstore.Options{})
	if err != nil {
		return nil, err
	}
	return &local{store, service.New(store, service.Options{
		HpkeConfig: d.Keypair.Config, Logger: logger,
		Dial: service.NewDial(service.DialOptions{Keypair: d.Keypair, AllowPlain: d.AllowPlain}),
	})}, nil
}

// Connect returns a client of the directory's API as its owner, and what to call in the end: of the running service if there is one,
// else of the database itself.
func (d *Directory) Connect(ctx context.Context) (*Client, func() error, error) {
	transport := &http.Transport{DialContext: api.DialOperator(d.file(socketFile)), MaxIdleConnsPerHost: 1}
	remote := &Client{http: &http.Client{Transport: transport}}
	err := remote.Get(ctx, "/api/v1/tokens", &struct{}{})
	if err == nil {
		return remote, func() error { transport.CloseIdleConnections(); return nil }, nil
	}
	transport.CloseIdleConnections()
	if !errors.Is(err, api.ErrNoServer) {
		return nil, nil, err
	}
	quiet := slog.New(slog.DiscardHandler)
	l, err := d.open(quiet)
	if err != nil {
		return nil, nil, err
	}
	handler := web.New(l.service, web.Options{Owner: true, Logger: quiet})
	return &Client{http: &http.Client{Transport: inProcess{handler}}}, l.store.Close, nil
}
