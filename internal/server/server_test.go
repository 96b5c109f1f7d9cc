package server_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/config"
	"hearth/internal/runtime"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
	"hearth/internal/server"
	"hearth/internal/server/servertest"
)

func on(dir string) servertest.Change {
	return func(c *config.Config, _ *server.Options) { c.Data = dir }
}

func fakes() server.Options {
	return server.Options{Drivers: []sandbox.Driver{fake.New(fake.Options{})}, Languages: []runtime.Language{servertest.Language{}}}
}

func TestTheFirstStartMakesAnAdmin(t *testing.T) {
	e := servertest.Start(t)
	if !e.Created() {
		t.Error("it says that it isn't the first")
	}
	fi, err := os.Stat(filepath.Join(e.Config.Data, config.KeyFile))
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", fi, err)
	}
	me, err := e.Admin.WhoAmI(t.Context())
	if err != nil || me.User.Name != "admin" || me.User.Role != hearth.RoleAdmin {
		t.Errorf("got %+v, %v", me, err)
	}
	link := e.SignInLink()
	if !strings.HasPrefix(link.URL, e.URL()+"/auth/link?token=") || time.Until(link.ExpiresAt) > 10*time.Minute {
		t.Errorf("got %+v", link)
	}
	if a := e.Do("GET", strings.TrimPrefix(link.URL, e.URL()), ""); a.StatusCode != 303 || len(a.Cookies()) != 1 {
		t.Errorf("got %s %v", a.Status, a.Header)
	}
}

// A proxy that speaks TLS stands before the server.
func TestThePublicAddressIsTheOneThatCallersSee(t *testing.T) {
	const public = "https://functions.example.org"
	e := servertest.Start(t, func(c *config.Config, _ *server.Options) { c.PublicURL = public + "/" })
	if d := e.Deploy("hello", rest.DeployConfig{}); d.Function.URLs[0] != public+"/fn/hello/" {
		t.Errorf("the function is at %v", d.Function.URLs)
	}
	path, ok := strings.CutPrefix(e.SignInLink().URL, public+"/auth/")
	local, _, err := config.ReadEndpoint(e.Config.Data)
	if err != nil || !ok {
		t.Fatalf("the link's path is %q, the local address unknown: %v", path, err)
	}
	c := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := c.Get(local.URL + "/auth/" + path)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if cs := resp.Cookies(); len(cs) != 1 || !cs[0].Secure {
		t.Errorf("browsers may send the session without TLS: %v", cs)
	}
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	first := servertest.Start(t, on(dir))
	rs := []hearth.Route{{Path: "/hello"}}
	public := true
	first.Deploy("hello", rest.DeployConfig{Routes: &rs, Public: &public, Env: map[string]string{"V": "1"}})
	first.Deploy("hello", rest.DeployConfig{Env: map[string]string{"V": "2"}})
	called := first.Do("POST", "/hello", `{"log":"a line"}`)
	key := first.Key
	s1, err := first.Admin.Server(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	first.End()
	if _, _, err := config.ReadEndpoint(dir); hearth.ErrorCode(err) != hearth.CodeUnavailable {
		t.Errorf("a stopped server can still be found: %v", err)
	}

	second := servertest.Start(t, on(dir))
	s2, err := second.Admin.Server(t.Context())
	if err != nil || second.Key != key || second.Created() || s1.Instance != s2.Instance {
		t.Errorf("key, first start or instance changed: %v", err)
	}
	if a := second.Do("POST", "/hello", `{"env":"V"}`); a.StatusCode != 200 || a.Text != `"2"` {
		t.Errorf("got %s %s", a.Status, a.Text)
	}
	if _, err := second.Admin.Invocation(t.Context(), called.Header.Get(rest.HeaderInvocation)); err != nil {
		t.Errorf("the record of a call is gone: %v", err)
	}
	ls, err := second.Admin.Logs(t.Context(), client.LogsQuery{Text: "a line"}, client.Page{})
	if err != nil || len(ls.Items) != 1 {
		t.Errorf("its log is gone: %v, %v", ls, err)
	}
	second.Do("POST", "/hello", `{"log":"another"}`)
	more, err := second.Admin.Logs(t.Context(), client.LogsQuery{AfterSeq: ls.Items[0].Seq}, client.Page{})
	if err != nil || len(more.Items) != 1 {
		t.Errorf("numbers of lines don't go on: %v, %v", more, err)
	}
}

func TestTwoServersDoNotShareAFolder(t *testing.T) {
	e := servertest.Start(t)
	_, err := server.Open(t.Context(), e.Config, fakes())
	he := servertest.MustError(t, err)
	if he.Code != hearth.CodeConflict || !strings.Contains(he.Message, fmt.Sprint(os.Getpid())) || !strings.Contains(he.Hint, "--data") {
		t.Errorf("got %+v", he)
	}
	if _, err := e.Admin.WhoAmI(t.Context()); err != nil {
		t.Errorf("the first suffers: %v", err)
	}
}

func TestATakenPortSaysWhatToDo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := config.Default()
	c.Data, c.Listen, c.Sandbox = t.TempDir(), l.Addr().String(), fake.Name
	_, err = server.Open(t.Context(), c, fakes())
	he := servertest.MustError(t, err)
	if he.Code != hearth.CodeConflict || he.Field != "listen" || !strings.Contains(he.Hint, "--listen") {
		t.Errorf("got %+v", he)
	}
	c.Listen = "127.0.0.1:0"
	s, err := server.Open(t.Context(), c, fakes())
	if err != nil {
		t.Fatalf("the failed start left the folder locked: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAStoppingServerFinishesItsCalls(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("slow", rest.DeployConfig{})
	ctx, leave := context.WithCancel(t.Context())
	tail := make(chan struct{})
	go func() { // a stream that would outlast the server must not hold it up
		defer close(tail)
		for range e.Admin.TailLogs(ctx, client.LogsQuery{}) {
		}
	}()
	reply := make(chan servertest.Answer, 1)
	go func() {
		reply <- e.Do("POST", "/fn/slow/", `{"log":"running","sleep":"400ms","echo":"done"}`, servertest.Auth(e.Key))
	}()
	waitRunning(t, e)
	e.Stop()
	refused := awaitUnready(t, e)
	if refused.StatusCode != 503 || refused.Header.Get("Retry-After") == "" {
		t.Errorf("a new call: %s %v", refused.Status, refused.Header)
	}
	if a := <-reply; a.StatusCode != 200 || a.Text != `"done"` {
		t.Errorf("the call in flight: %s %s", a.Status, a.Text)
	}
	if err := e.Wait(); err != nil {
		t.Errorf("serve: %v", err)
	}
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(e.URL(), "http://"), time.Second); err == nil {
		t.Error("it still listens")
	}
	leave() // a tail calls again and again
	<-tail
}

// waitRunning waits until a call is in a sandbox.
func waitRunning(t *testing.T, e *servertest.Env) {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		s, err := e.Admin.Server(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.Load.Running > 0 {
			return
		}
	}
	t.Fatal("the call never ran")
}

// awaitUnready waits until readyz says no, and then makes a call.
func awaitUnready(t *testing.T, e *servertest.Env) servertest.Answer {
	t.Helper()
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		if a := e.Do("GET", "/readyz", ""); a.StatusCode == 503 {
			return e.Do("POST", "/fn/slow/", "", servertest.Auth(e.Key))
		}
	}
	t.Fatal("a stopping server is still ready")
	return servertest.Answer{}
}

func TestCallsThatDoNotEndAreCutOff(t *testing.T) {
	e := servertest.Start(t, func(c *config.Config, _ *server.Options) { c.Drain = 100 * time.Millisecond })
	e.Deploy("slow", rest.DeployConfig{})
	reply := make(chan servertest.Answer, 1)
	go func() { reply <- e.Do("POST", "/fn/slow/", `{"hang":true}`, servertest.Auth(e.Key)) }()
	waitRunning(t, e)
	began := time.Now()
	e.Stop()
	if a := <-reply; a.StatusCode < 500 {
		t.Errorf("got %s", a.Status)
	}
	if err := e.Wait(); err != nil {
		t.Error(err)
	}
	// The last bytes have 5 s besides, which a connection that was never used
	// takes up: http.Server can't tell it from one whose request is on its way.
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAServerLeavesNoGoroutines(t *testing.T) {
	before := goleak.IgnoreCurrent()
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{MinWarm: 2})
	e.Do("POST", "/fn/a/", "", servertest.Auth(e.Key))
	e.End()
	http.DefaultClient.CloseIdleConnections()
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	goleak.VerifyNone(t, before)
}

func TestCloseWorksTwiceAndWithoutServe(t *testing.T) {
	c := config.Default()
	c.Data, c.Listen, c.Sandbox = t.TempDir(), "127.0.0.1:0", fake.Name
	s, err := server.Open(t.Context(), c, fakes())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// A program that is told to stop drains and closes at once.
func TestDrainAndCloseMeet(t *testing.T) {
	for range 20 {
		e := servertest.Start(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			e.Stop()
		}()
		e.End()
		<-done
	}
}

func TestAnAdminWithoutAKeyGetsOne(t *testing.T) {
	dir := t.TempDir()
	e := servertest.Start(t, on(dir))
	me, err := e.Admin.WhoAmI(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Admin.DeleteKey(t.Context(), me.Key.ID); err != nil {
		t.Fatal(err)
	}
	e.End()
	again := servertest.Start(t, on(dir))
	if _, err := again.Admin.WhoAmI(t.Context()); err != nil || again.Key == e.Key {
		t.Errorf("got %v", err)
	}
}

// certificate writes a self-signed certificate whose name is cn.
func certificate(t *testing.T, dir, cn string) (cert, key string) {
	t.Helper()
	pk, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: cn}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, &tmpl, &tmpl, &pk.PublicKey, pk)
	if err != nil {
		t.Fatal(err)
	}
	pkder, err := x509.MarshalPKCS8PrivateKey(pk)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: pkder}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestARenewedCertificateIsServed(t *testing.T) {
	files := t.TempDir()
	cert, key := certificate(t, files, "first")
	c := config.Default()
	c.Data, c.Listen, c.Sandbox, c.TLSCert, c.TLSKey = t.TempDir(), "127.0.0.1:0", fake.Name, cert, key
	s, err := server.Open(t.Context(), c, fakes())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx) }()
	defer func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	if !strings.HasPrefix(s.URL(), "https://") {
		t.Errorf("the address is %s", s.URL())
	}
	// name connects anew and returns whose certificate it got.
	name := func() string {
		tr := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
		defer tr.CloseIdleConnections()
		resp, err := (&http.Client{Transport: tr}).Get(s.URL() + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if b, _ := io.ReadAll(resp.Body); string(b) != "ok\n" || resp.ProtoMajor != 2 {
			t.Errorf("got %s over %s", b, resp.Proto)
		}
		return resp.TLS.PeerCertificates[0].Subject.CommonName
	}
	if got := name(); got != "first" {
		t.Fatalf("got %q", got)
	}
	certificate(t, files, "second")
	for deadline := time.Now().Add(5 * time.Second); name() != "second"; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the new certificate is never served")
		}
	}
}

func TestABadCertificateIsNamed(t *testing.T) {
	c := config.Default()
	c.Data, c.Listen, c.Sandbox, c.TLSCert, c.TLSKey = t.TempDir(), "127.0.0.1:0", fake.Name, "/nonexistent", "/nonexistent"
	_, err := server.Open(t.Context(), c, fakes())
	if he := servertest.MustError(t, err); he.Field != "tls_cert" {
		t.Errorf("got %+v", he)
	}
}
