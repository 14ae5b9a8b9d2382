package collectordir

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/twofold-dap/twofold/collector/wire"
	"github.com/twofold-dap/twofold/dap"
)

func newDirectory(t *testing.T) *Directory {
	t.Helper()
	keypair, err := dap.GenerateHpkeKeypair(0, dap.HpkeKemX25519HkdfSha256, dap.HpkeKdfHkdfSha256, dap.HpkeAeadAes128Gcm)
	if err != nil {
		t.Fatal(err)
	}
	return &Directory{Path: t.TempDir(), Keypair: keypair}
}

// serving runs the directory's service until the test ends, and returns its URL.
func serving(t *testing.T, d *Directory, options ServeOptions) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan net.Addr, 1), make(chan error, 1)
	options.Listen, options.Log, options.Ready = "127.0.0.1:0", io.Discard, func(address net.Addr) { ready <- address }
	go func() { ended <- d.Serve(ctx, options) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the service ends with %v", err)
		}
	})
	select {
	case address := <-ready:
		return "http://" + address.String()
	case err := <-ended:
		ended <- err
		t.Fatalf("the service does not run: %v", err)
		return ""
	}
}

// newToken makes an analyst's token as the directory's owner.
func newToken(t *testing.T, d *Directory, name string) string {
	t.Helper()
	client, done, err := d.Connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var made wire.Token
	if err := client.Do(t.Context(), http.MethodPost, "/api/v1/tokens", map[string]string{"name": name, "scope": "read"}, &made); err != nil {
		t.Fatal(err)
	}
	if err := done(); err != nil {
		t.Fatal(err)
	}
	return made.Token
}

// TestOwner: the owner's requests go to the database when nothing serves it, and to the service when one runs; the
// tokens that either makes are those of the same directory.
func TestOwner(t *testing.T) {
	d := newDirectory(t)
	before := newToken(t, d, "before")
	address := serving(t, d, ServeOptions{})
	for _, token := range []string{before, newToken(t, d, "meanwhile")} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/api/v1/tasks", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusOK {
			t.Errorf("status %d", answer.StatusCode)
		}
	}
	if err := d.Serve(t.Context(), ServeOptions{Listen: "127.0.0.1:0", Log: io.Discard}); err == nil || !strings.Contains(err.Error(), "another process has the database open") {
		t.Errorf("a second service: %v", err)
	}
	other := newDirectory(t)
	other.Path = d.Path
	if _, _, err := other.Connect(t.Context()); err != nil {
		t.Errorf("the running service is asked, whatever the key: %v", err)
	}
}

// TestCookies: behind a proxy that speaks TLS a browser is given a cookie for https alone.
func TestCookies(t *testing.T) {
	for _, behindTLS := range []bool{false, true} {
		d := newDirectory(t)
		token := newToken(t, d, "ann")
		address := serving(t, d, ServeOptions{BehindTLS: behindTLS})
		client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		answer, err := client.PostForm(address+"/login", url.Values{"token": {token}})
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		cookies := answer.Cookies()
		if answer.StatusCode != http.StatusSeeOther || len(cookies) != 1 || cookies[0].Secure != behindTLS || !cookies[0].HttpOnly {
			t.Errorf("behind TLS %t: status %d, cookies %v", behindTLS, answer.StatusCode, cookies)
		}
	}
}
