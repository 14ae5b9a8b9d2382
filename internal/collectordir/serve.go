package collectordir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/twofold-dap/twofold/api"
	"github.com/twofold-dap/twofold/collector/page"
	"github.com/twofold-dap/twofold/collector/web"
)

// ServeOptions are what a command decides about a service.
type ServeOptions struct {
	// Listen is the address for analysts, HOST:PORT; port 0 takes a free one.
	Listen string
	// CertificateFile and KeyFile are PEM files; with neither the service speaks plain http.
	CertificateFile, KeyFile string
	// BehindTLS tells that browsers come through a proxy that speaks TLS: the pages' cookies are for https alone.
	BehindTLS bool
	// Log takes the log.
	Log io.Writer
	// Ready, if not nil, is called with the address once requests are answered.
	Ready func(net.Addr)
}

// Serve runs the directory's service until ctx ends: the schedule, the server for analysts, and the owner's socket. Then it finishes the requests under way,
// and returns nil.
func (d *Directory) Serve(ctx context.Context, options ServeOptions) error {
	logger := slog.New(slog.NewTextHandler(options.Log, nil))
	l, err := d.open(logger)
	if err != nil {
		return err
	}
	return errors.Join(d.serve(ctx, l, logger, options), l.store.Close())
}

func (d *Directory) serve(ctx context.Context, l *local, logger *slog.Logger, options ServeOptions) error {
	pages, err := page.New(l.service, l.service, page.Options{Log: logger, Secure: options.CertificateFile != "" || options.BehindTLS})
	if err != nil {
		return err
	}
	server, err := api.NewServer(web.New(l.service, web.Options{Logger: logger, Pages: pages}), api.ServerOptions{
		Address: options.Listen, CertificateFile: options.CertificateFile, KeyFile: options.KeyFile, Logger: logger, MaxConnections: 512,
	})
	if err != nil {
		return err
	}
	socket, err := api.ListenOperator(d.file(socketFile))
	if err != nil {
		return errors.Join(err, server.Close())
	}
	owner, err := api.NewServer(web.New(l.service, web.Options{Owner: true, Logger: logger}), api.ServerOptions{Listener: socket, Logger: logger, ShutdownTimeout: 5 * time.Second})
	if err != nil {
		return errors.Join(err, socket.Close(), server.Close())
	}
	logger.Info("serving", "address", server.Addr().String(), "tls", server.TLS())
	if options.Ready != nil {
		options.Ready(server.Addr())
	}
	err = runTogether(ctx, map[string]func(context.Context) error{"requests": server.Serve, "owner": owner.Serve, "collections": l.service.Run})
	logger.Info("stopped")
	return err
}

// runTogether runs all parts until ctx ends or one of them fails, and waits for all of them.
func runTogether(ctx context.Context, parts map[string]func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var mu sync.Mutex
	var errs []error
	var wait sync.WaitGroup
	for name, run := range parts {
		wait.Go(func() {
			defer cancel()
			err := run(ctx)
			if err == nil && ctx.Err() == nil {
				err = fmt.Errorf("%s: ended by itself", name)
			}
			if err != nil && !errors.Is(err, http.ErrServerClosed) {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}
