package operator

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

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/twofold-dap/twofold/api"
)

// ServeOptions are what a command decides about a server.
type ServeOptions struct {
	// Log takes the log, as the configuration says.
	Log io.Writer
	// Ready, if not nil, is called with the address once requests are answered.
	Ready func(net.Addr)
}

// Serve runs the directory's aggregator until ctx ends: the server, the background
// work, and the operator socket. Then it takes no new requests, finishes those
// under way and what the engine has taken on, and returns nil.
func (d *Directory) Serve(ctx context.Context, options ServeOptions) error {
	logger, err := d.newLogger(options.Log)
	if err != nil {
		return err
	}
	key, err := readRootKey(d.file(keyFile))
	if err != nil {
		return err
	}
	metrics := prometheus.NewRegistry()
	metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	l, err := d.open(key, openOptions{logger: logger, metrics: metrics})
	if err != nil {
		return err
	}
	err = d.serve(ctx, l, logger, metrics, options.Ready)
	return errors.Join(err, l.Close())
}

func (d *Directory) newLogger(w io.Writer) (*slog.Logger, error) {
	level, err := d.Config.Log.level()
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	if d.Config.Log.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return slog.New(slog.NewTextHandler(w, options)), nil
}

func (d *Directory) serve(ctx context.Context, l *local, logger *slog.Logger, metrics *prometheus.Registry, ready func(net.Addr)) error {
	basePath, err := api.BasePath(d.Config.URL)
	if err != nil {
		return err
	}
	defer l.plan.limitRuntime()()
	handler := l.handler(api.Options{BasePath: basePath, Logger: logger, Metrics: metrics, Limits: l.plan.requestLimits()})
	server, err := api.NewServer(handler, api.ServerOptions{
		Address: d.Config.Listen, CertificateFile: d.Config.TLSCert, KeyFile: d.Config.TLSKey, Logger: logger,
		MaxConnections: l.plan.connections, MaxConnectionsPerAddress: d.Config.Limits.ConnectionsPerAddress,
	})
	if err != nil {
		return err
	}
	socket, err := api.ListenOperator(d.Socket())
	if err != nil {
		return errors.Join(err, server.Close())
	}
	ignoreFileSizeSignal()
	witness := l.startWitness(ctx, logger)
	operated := &service{local: l, listening: server.Addr().String(), startedAt: time.Now().UTC().Truncate(time.Second)}
	operatorServer, err := api.NewServer(
		api.NewOperatorHandler(operated, api.OperatorOptions{Gatherer: metrics, Logger: logger}),
		api.ServerOptions{Listener: socket, Logger: logger, ShutdownTimeout: 5 * time.Second})
	if err != nil {
		return errors.Join(err, socket.Close(), server.Close())
	}
	logger.Info("serving", "role", d.Config.Role, "url", d.Config.URL, "address", server.Addr().String(), "tls", server.TLS())
	if ready != nil {
		ready(server.Addr())
	}
	err = runTogether(ctx, map[string]func(context.Context) error{
		"witness": witness, "requests": server.Serve, "operator": operatorServer.Serve, "engine": l.engine.Run,
	})
	logger.Info("stopped", "role", d.Config.Role)
	return err
}

// runTogether runs all parts until ctx ends or one of them fails, and waits for all
// of them.
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
