package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"hearth"
)

func mustFlags(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs
}

func mustWrite(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestNothingGivenIsTheDefault(t *testing.T) {
	dir := t.TempDir()
	got, err := Load(mustFlags(t, "--data", dir), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Data = dir
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestFlagBeatsEnvironmentBeatsFileBeatsDefault(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, filepath.Join(dir, ConfigFile), "listen: 127.0.0.1:1\nqueue: 1\nconcurrency: 1\nkeep_alive: 90s\ntrusted_proxies: [10.0.0.0/8]\n")
	env := []string{"HEARTH_DATA=" + dir, "HEARTH_LISTEN=127.0.0.1:2", "HEARTH_QUEUE=2", "HEARTH_API_KEY=x", "HEARTH_TLS=ignored", "OTHER=1"}
	c, err := Load(mustFlags(t, "--listen", "127.0.0.1:3"), env)
	if err != nil {
		t.Fatal(err)
	}
	if c.Listen != "127.0.0.1:3" || c.Queue != 2 || c.Concurrency != 1 || c.KeepAlive != 90*time.Second || c.MaxRequestMiB != 6 {
		t.Errorf("got %+v", c)
	}
	ps, err := c.Proxies()
	if err != nil || len(ps) != 1 || ps[0].String() != "10.0.0.0/8" {
		t.Errorf("proxies %v, %v", ps, err)
	}
}

func TestListsComeFromEnvironmentAndFlags(t *testing.T) {
	dir := t.TempDir()
	c, err := Load(mustFlags(t, "--data", dir), []string{"HEARTH_TRUSTED_PROXIES=10.0.0.1, fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"10.0.0.1", "fd00::/8"}, c.TrustedProxies); d != "" {
		t.Error(d)
	}
}

func TestMistakesNameTheirSetting(t *testing.T) {
	for _, tt := range []struct {
		name, file, field string
		args, env         []string
	}{
		{name: "listen", args: []string{"--listen", "8080"}, field: "listen"},
		{name: "number", env: []string{"HEARTH_QUEUE=many"}, field: "queue"},
		{name: "duration", file: "drain: soon", field: "drain"},
		{name: "duration without unit in the file", file: "drain: [1]", field: "drain"},
		{name: "range", args: []string{"--max-request", "0"}, field: "max_request"},
		{name: "no time to wait", args: []string{"--queue-wait", "0s"}, field: "queue_wait"},
		{name: "negative time", args: []string{"--keep-alive", "-1s"}, field: "keep_alive"},
		{name: "metrics by the second for a minute", args: []string{"--metrics-seconds", "1m"}, field: "metrics_seconds"},
		{name: "minutes that end before seconds", args: []string{"--metrics-seconds", "5h", "--metrics-minutes", "4h"}, field: "metrics_minutes"},
		{name: "hours that end before minutes", file: "metrics_minutes: 240h\nmetrics_hours: 100h", field: "metrics_hours"},
		{name: "half of TLS", args: []string{"--tls-cert", "a"}, field: "tls_key"},
		{name: "other half of TLS", args: []string{"--tls-key", "a"}, field: "tls_cert"},
		{name: "proxy", args: []string{"--trusted-proxies", "somewhere"}, field: "trusted_proxies"},
		{name: "public URL", args: []string{"--public-url", "example.org"}, field: "public_url"},
		{name: "public URL with a path", args: []string{"--public-url", "http://a/b"}, field: "public_url"},
		{name: "log format", file: "log_format: xml", field: "log_format"},
		{name: "log level", file: "log_level: loud", field: "log_level"},
		{name: "unknown setting", file: "lissten: 1", field: "lissten"},
		{name: "not YAML", file: "a: [", field: "config"},
		{name: "no such file", args: []string{"--config", "/nonexistent/x.yaml"}, field: "config"},
		{name: "no data", args: []string{"--sandbox", ""}, field: "sandbox"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.file != "" {
				mustWrite(t, filepath.Join(dir, ConfigFile), tt.file)
			}
			_, err := Load(mustFlags(t, append([]string{"--data", dir}, tt.args...)...), tt.env)
			var e *hearth.Error
			if !errors.As(err, &e) || e.Code != hearth.CodeInvalid || e.Field != tt.field {
				t.Fatalf("got %#v", err)
			}
			if !strings.Contains(e.Message, tt.field) {
				t.Errorf("message %q doesn't name %s", e.Message, tt.field)
			}
		})
	}
}

func TestEndpointWithoutServerSaysHowToStartOne(t *testing.T) {
	_, _, err := ReadEndpoint(t.TempDir())
	var e *hearth.Error
	if !errors.As(err, &e) || e.Code != hearth.CodeUnavailable || !strings.Contains(e.Hint, "hearth serve") {
		t.Fatalf("got %#v", err)
	}
}

func TestEndpointComesWithTheKey(t *testing.T) {
	dir := t.TempDir()
	mustWrite(t, filepath.Join(dir, ServerFile), `{"url":"http://127.0.0.1:9","pid":7}`)
	mustWrite(t, filepath.Join(dir, KeyFile), "hk_x\n")
	e, key, err := ReadEndpoint(dir)
	if err != nil || e != (Endpoint{URL: "http://127.0.0.1:9", PID: 7}) || key != "hk_x" {
		t.Fatalf("got %+v %q %v", e, key, err)
	}
}
