package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twofold-dap/twofold/dap"
)

// Of many at once, never more pass than the gate allows, and all that was
// taken is given back.
func TestGate(t *testing.T) {
	g := newClass(1000, 4, 1000)
	task := dap.TaskID{1}
	var within sync.Map
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for range 200 {
				var p pass
				if err := p.enter(g, task); err != nil {
					if !errors.Is(err, errTooManyRequests) {
						t.Errorf("error %v", err)
					}
					continue
				}
				within.Store(i, true)
				count := 0
				within.Range(func(any, any) bool { count++; return true })
				if count > 4 {
					t.Errorf("%d at once", count)
				}
				_ = p.reserve(g, task, 300)
				_ = p.reserve(g, task, 300)
				within.Delete(i)
				p.leave()
			}
		})
	}
	all.Wait()
	if g.places.Used() != 0 || g.bytes.Used() != 0 {
		t.Errorf("%d requests and %d bytes are still taken", g.places.Used(), g.bytes.Used())
	}
	var p pass
	if p.enter(g, task) != nil || p.reserve(g, task, 600) != nil || p.reserve(g, task, 400) != nil {
		t.Error("a single request cannot take all that there is")
	}
	if err := new(pass).reserve(g, dap.TaskID{2}, 1); !errors.Is(err, errTooManyRequests) {
		t.Errorf("more than all: %v", err)
	}
}

func TestCertificateIsReadAgain(t *testing.T) {
	directory := t.TempDir()
	write := func(name string, content []byte, at time.Time) {
		t.Helper()
		file := filepath.Join(directory, name)
		if err := errors.Join(os.WriteFile(file, content, 0o600), os.Chtimes(file, at, at)); err != nil {
			t.Fatal(err)
		}
	}
	start := time.Now().Add(-time.Hour)
	certificateA, keyA := selfSigned(t, "a")
	certificateB, keyB := selfSigned(t, "b")
	write("cert.pem", certificateA, start)
	write("key.pem", keyA, start)
	c, err := newCertificateFiles(filepath.Join(directory, "cert.pem"), filepath.Join(directory, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	serving := func() string {
		t.Helper()
		c.lookedAt = time.Time{} // as if time had passed
		got, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		return got.Leaf.Subject.CommonName
	}
	if got := serving(); got != "a" {
		t.Fatalf("serving %q", got)
	}
	write("cert.pem", certificateB, start.Add(time.Minute)) // its key is not there yet
	if got := serving(); got != "a" {
		t.Errorf("with half of the renewal: serving %q", got)
	}
	write("key.pem", keyB, start.Add(time.Minute))
	if got := serving(); got != "b" {
		t.Errorf("after the renewal: serving %q", got)
	}
	if err := os.Remove(filepath.Join(directory, "cert.pem")); err != nil {
		t.Fatal(err)
	}
	if got := serving(); got != "b" {
		t.Errorf("without the files: serving %q", got)
	}
}

// selfSigned returns a certificate of that name and its key, in PEM.
func selfSigned(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	privateDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: privateDER})
}
