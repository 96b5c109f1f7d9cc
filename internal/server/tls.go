package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"hearth"
)

// certificates reads a certificate again when its files change, so that a
// renewed one needs no restart.
type certificates struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	cert    *tls.Certificate
	stamp   string
	checked time.Time
}

// checkEvery bounds how often handshakes look at the files.
const checkEvery = time.Second

func newCertificates(certFile, keyFile string, log *slog.Logger) (*certificates, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile, log: log, stamp: stamp(certFile, keyFile), checked: time.Now()}
	cert, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, hearth.Errorf(hearth.CodeInvalid, "the certificate can't be used (%v)", err).
			WithHint("check the files after --tls-cert and --tls-key: both PEM, and of one pair").WithField("tls_cert")
	}
	c.cert = &cert
	return c, nil
}

// get is a tls.Config.GetCertificate. A file that can't be used is logged and
// the certificate before goes on serving.
func (c *certificates) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < checkEvery {
		return c.cert, nil
	}
	c.checked = time.Now()
	now := stamp(c.certFile, c.keyFile)
	if now == c.stamp {
		return c.cert, nil
	}
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		c.log.Warn("the new certificate can't be used; the old one serves on", "err", err)
		return c.cert, nil
	}
	c.log.Info("certificate read again", "file", c.certFile)
	c.cert, c.stamp = &cert, now
	return c.cert, nil
}

// stamp changes when one of the files does.
func stamp(files ...string) string {
	s := ""
	for _, f := range files {
		if fi, err := os.Stat(f); err == nil {
			s += fmt.Sprintf("%d %d;", fi.Size(), fi.ModTime().UnixNano())
		}
	}
	return s
}
