package fake_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/fake"
	"hearth/internal/wire"
)

// function is a loaded sandbox with its wire.
type function struct {
	t    *testing.T
	d    *fake.Driver
	sb   sandbox.Sandbox
	wire *wire.Conn
	logs *strings.Builder
}

func start(t *testing.T, env map[string]string) *function {
	t.Helper()
	f := &function{t: t, d: fake.New(fake.Options{}), logs: new(strings.Builder)}
	ctx := t.Context()
	sb, err := f.d.Create(ctx, sandbox.Spec{ID: "a", Runtime: fake.Runtime(), Limits: hearth.DefaultLimits(), Network: hearth.NetworkNone})
	must(t, err)
	f.sb = sb
	v := hearth.Version{Function: "f", Number: 1, Handler: "main.handler"}
	must(t, sb.Assign(ctx, sandbox.Assignment{Version: v, Limits: hearth.DefaultLimits()}))
	c, err := sb.Dial(ctx)
	must(t, err)
	f.wire = wire.New(c, wire.Options{OnLog: func(_ uint32, _ wire.Log, body []byte) { f.logs.Write(body) }})
	_, err = f.wire.Hello(ctx)
	must(t, err)
	must(t, f.wire.Load(wire.Load{Function: "f", Version: 1, Handler: "main.handler", Concurrency: 1, Env: env}, nil))
	return f
}

func (f *function) call(script string) (string, error) {
	f.t.Helper()
	s, err := f.wire.Invoke(wire.Invoke{ID: "1", Kind: wire.KindJSON}, []byte(script))
	if err != nil {
		return "", err
	}
	defer s.Close()
	_, body, more, err := s.Result(f.t.Context())
	out := string(body)
	for err == nil && more {
		var p []byte
		p, err = s.Chunk(f.t.Context())
		out += string(p)
	}
	if err == io.EOF && more {
		err = nil
	}
	return out, err
}

// finish destroys everything and wants no violation.
func (f *function) finish() {
	f.t.Helper()
	must(f.t, f.sb.Destroy(context.Background()))
	must(f.t, f.d.Close())
	<-f.wire.Done()
	if v := f.d.Violations(); len(v) > 0 {
		f.t.Errorf("violations: %q", v)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestScripts(t *testing.T) {
	for _, c := range []struct{ script, want, fails string }{
		{`{"a": 1}`, `{"a": 1}`, ""},
		{``, `null`, ""},
		{`"text"`, `"text"`, ""},
		{`{"echo":[1,2]}`, `[1,2]`, ""},
		{`{"sleep":"3h","echo":1}`, `1`, ""},
		{`{"fail":"ValueError: no"}`, ``, "ValueError: no"},
		{`{"stream":3,"size":2}`, `xxxxxx`, ""},
		{`{"stream":2,"size":1,"break":"IOError: cut"}`, `xx`, "IOError: cut"},
		{`{"env":"K"}`, `"V"`, ""},
		{`{"count":true}`, `1`, ""},
		{`{"quit":3}`, ``, "SystemExit: 3"},
		{`{"sleep":7}`, ``, "ScriptError"},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := start(t, map[string]string{"K": "V"})
			defer f.finish()
			got, err := f.call(c.script)
			if got != c.want {
				t.Errorf("%s replied %s", c.script, got)
			}
			if c.fails == "" && err != nil || c.fails != "" && (err == nil || !strings.Contains(err.Error(), c.fails)) {
				t.Errorf("%s failed with %v, want %q", c.script, err, c.fails)
			}
		})
	}
}

func TestDeaths(t *testing.T) {
	for script, want := range map[string]sandbox.Exit{
		`{"exit":3}`:             {Code: 3},
		`{"oom":true}`:           {Code: -1, Signal: "SIGKILL", OOM: true},
		`{"memory":200000000}`:   {Code: -1, Signal: "SIGKILL", OOM: true},
		`{"signal":"SIGSEGV"}`:   {Code: -1, Signal: "SIGSEGV"},
		`{"quit":4}`:             {Code: 4},
		`{"cpu":"5s","exit":11}`: {Code: 11},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := start(t, nil)
			defer f.finish()
			if _, err := f.call(script); err == nil {
				t.Errorf("%s replied", script)
			}
			<-f.sb.Done()
			got := f.sb.Exit()
			got.Usage = hearth.Usage{}
			if got != want {
				t.Errorf("%s: exit %+v", script, got)
			}
			if _, err := f.sb.Usage(t.Context()); !errors.Is(err, sandbox.ErrGone) {
				t.Errorf("usage of the dead: %v", err)
			}
		})
	}
}

func TestLoadTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, map[string]string{"FAKE_LOAD_FAIL": "ImportError: no", "FAKE_LOAD_SLEEP": "2s"})
		defer f.finish()
		began := time.Now()
		var e *wire.Error
		if _, err := f.call(`1`); !errors.As(err, &e) || e.Kind != wire.ErrorImport || e.Type != "ImportError" {
			t.Errorf("call: %v", err)
		}
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("import took %s", took)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		f := start(t, map[string]string{"FAKE_LOAD_EXIT": "5"})
		defer f.finish()
		if _, err := f.call(`1`); !errors.Is(err, io.EOF) {
			t.Errorf("call: %v", err)
		}
		if e := f.sb.Exit(); e.Code != 5 {
			t.Errorf("exit: %+v", e)
		}
	})
}

func TestCancelAndHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		defer f.finish()
		s, err := f.wire.Invoke(wire.Invoke{ID: "1", Kind: wire.KindJSON}, []byte(`{"sleep":"1h"}`))
		must(t, err)
		must(t, s.Cancel("timeout"))
		var e *wire.Error
		if _, _, _, err := s.Result(t.Context()); !errors.As(err, &e) || e.Kind != wire.ErrorCancelled {
			t.Errorf("result: %v", err)
		}
		s, err = f.wire.Invoke(wire.Invoke{ID: "2", Kind: wire.KindJSON}, []byte(`{"hang":true}`))
		must(t, err)
		must(t, s.Cancel("timeout"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, _, _, err := s.Result(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("result: %v", err)
		}
	})
}

func TestOutputAndGarbage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		defer f.finish()
		if _, err := f.call(`{"log":["one","two"]}`); err != nil || f.logs.String() != "one\ntwo\n" {
			t.Errorf("logged %q, %v", f.logs, err)
		}
		if _, err := f.call(`{"garbage":true}`); !errors.Is(err, wire.ErrProtocol) {
			t.Errorf("call: %v", err)
		}
	})
}

func TestViolationsAreSeen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := fake.New(fake.Options{})
		defer d.Close()
		ctx := t.Context()
		spec := sandbox.Spec{ID: "a", Runtime: fake.Runtime(), Limits: hearth.DefaultLimits()}
		sb, err := d.Create(ctx, spec)
		must(t, err)
		_, _ = d.Create(ctx, spec)
		c, err := sb.Dial(ctx)
		must(t, err)
		_, _ = sb.Dial(ctx)
		w := wire.New(c, wire.Options{})
		_, err = w.Hello(ctx)
		must(t, err)
		must(t, w.Load(wire.Load{Function: "f"}, nil))
		_, err = w.Ready(ctx)
		must(t, err)
		_, err = w.Invoke(wire.Invoke{}, nil)
		must(t, err)
		synctest.Wait()
		w.Close()
		<-w.Done()
		all := strings.Join(d.Violations(), "\n")
		for _, want := range []string{"second time", "Dial", "load before Assign", "concurrency 0", "invoke of kind"} {
			if !strings.Contains(all, want) {
				t.Errorf("not seen: %s, in:\n%s", want, all)
			}
		}
	})
}

func TestPauseHoldsInvocations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		defer f.finish()
		p, ok := sandbox.As[sandbox.Pauser](f.sb)
		if !ok {
			t.Fatal("the fake is no Pauser")
		}
		must(t, p.Pause(t.Context()))
		began := time.Now()
		time.AfterFunc(time.Minute, func() { _ = p.Resume(t.Context()) })
		if got, err := f.call(`1`); got != "1" || err != nil || time.Since(began) != time.Minute {
			t.Errorf("replied %s, %v after %s", got, err, time.Since(began))
		}
	})
}

func TestReplyOfAnHTTPEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := start(t, nil)
		defer f.finish()
		s, err := f.wire.Invoke(wire.Invoke{ID: "1", Kind: wire.KindHTTP, HTTP: &hearth.HTTPRequest{Method: "GET"}}, []byte(`{"status":404,"headers":{"a":["b"]},"echo":{}}`))
		must(t, err)
		r, body, _, err := s.Result(t.Context())
		must(t, err)
		b, _ := json.Marshal(r.Headers)
		if r.Status != 404 || string(b) != `{"a":["b"],"content-type":["application/json"]}` || string(body) != "{}" {
			t.Errorf("reply %+v %s", r, body)
		}
	})
}
