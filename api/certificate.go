package api

import (
	"crypto/tls"
	"os"
	"sync"
	"time"
)

// certificateFiles is a certificate that is read again when its files have
// changed, so that a renewal needs no restart.
type certificateFiles struct {
	certificateFile, keyFile string

	mu          sync.Mutex
	certificate *tls.Certificate
	written     [2]time.Time
	lookedAt    time.Time
}

// certificateRecheck is how often the files are looked at.
const certificateRecheck = 30 * time.Second

func newCertificateFiles(certificateFile, keyFile string) (*certificateFiles, error) {
	c := &certificateFiles{certificateFile: certificateFile, keyFile: keyFile}
	if err := c.load(); err != nil {
		return nil, &CertificateError{certificateFile, keyFile, err}
	}
	return c, nil
}

// load reads the files if they have changed. What was loaded before stays if they cannot be
// used, as when one of the two is written already and the other not yet.
func (c *certificateFiles) load() error {
	var written [2]time.Time
	for i, name := range []string{c.certificateFile, c.keyFile} {
		t, err := fileTime(name)
		if err != nil {
			return err
		}
		written[i] = t
	}
	if c.certificate != nil && written == c.written {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.certificateFile, c.keyFile)
	if err != nil {
		return err
	}
	c.certificate, c.written = &pair, written
	return nil
}

// get implements tls.Config.GetCertificate.
func (c *certificateFiles) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.lookedAt) >= certificateRecheck {
		c.lookedAt = now
		_ = c.load() // the one at hand goes on being served
	}
	return c.certificate, nil
}

// fileTime returns when a file was last written.
func fileTime(name string) (time.Time, error) {
	info, err := os.Stat(name)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
