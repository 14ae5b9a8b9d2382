package main

import (
	"net"
	"net/http"

	"github.com/twofold-dap/twofold/dap"
)

// idleHelper is a Helper that clients can seal reports for, and that is never ready to aggregate them: what
// is uploaded for it waits at the Leader.
type idleHelper struct {
	listener net.Listener
	server   *http.Server
}

func newIdleHelper() (*idleHelper, error) {
	keypair, err := dap.GenerateHpkeKeypair(1, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		return nil, err
	}
	configs, err := dap.HpkeConfigList{Configs: []dap.HpkeConfig{keypair.Config}}.Encode()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hpke_config", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", string(dap.MediaTypeHpkeConfigList))
		_, _ = w.Write(configs)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "10")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	h := &idleHelper{listener, &http.Server{Handler: mux}}
	go func() { _ = h.server.Serve(listener) }() // until it is closed
	return h, nil
}

func (h *idleHelper) url() string { return "http://" + h.listener.Addr().String() + "/" }

func (h *idleHelper) Close() error { return h.server.Close() }
