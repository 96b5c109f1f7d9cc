package config

import (
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"hearth"
)

// Files in the data directory that others look for.
const (
	ConfigFile = "config.yaml" // read if it exists and no other is named
	KeyFile    = "admin.key"   // the first admin's API key
	ServerFile = "server.json" // an [Endpoint], while a server runs
	LockFile   = "lock"
)

// Config is what a server can be told. The koanf tag is the name in the file;
// flags have dashes for its underscores; the environment has HEARTH_ before it
// in capitals. The usage tag is what --help says. Sizes are MiB. What has the tag
// private is no business of those who may only look; see [Config.Settings].
type Config struct {
	Data      string `koanf:"data" private:"true" usage:"folder for everything that must last"`
	Listen    string `koanf:"listen" usage:"address to listen on; port 0 lets the kernel choose"`
	PublicURL string `koanf:"public_url" usage:"address that callers use, when a proxy stands before the server"`

	TLSCert        string   `koanf:"tls_cert" private:"true" usage:"file with the certificate chain (PEM); read again when it changes"`
	TLSKey         string   `koanf:"tls_key" private:"true" usage:"file with the certificate's key (PEM)"`
	TrustedProxies []string `koanf:"trusted_proxies" usage:"addresses or networks whose X-Forwarded-* headers are believed"`

	Sandbox         string `koanf:"sandbox" usage:"sandbox of functions that name none"`
	AllowUnenforced bool   `koanf:"allow_unenforced" usage:"run functions although this host can't enforce some of their limits"`

	MaxRequestMiB int           `koanf:"max_request" usage:"largest body of a call, MiB"`
	MaxReplyMiB   int           `koanf:"max_reply" usage:"largest reply of a function that doesn't stream, MiB"`
	MaxCodeMiB    int           `koanf:"max_code" usage:"largest upload of code, MiB packed; unpacked it may be five times that"`
	Concurrency   int           `koanf:"concurrency" usage:"calls at once in the whole server"`
	Queue         int           `koanf:"queue" usage:"calls of one function that may wait for a place; 0 refuses at once"`
	QueueWait     time.Duration `koanf:"queue_wait" usage:"how long a call may wait for a place"`
	MemoryMiB     int           `koanf:"memory" usage:"memory that all sandboxes may use together, MiB; 0 is three quarters of the host's"`
	KeepAlive     time.Duration `koanf:"keep_alive" usage:"idle time before a sandbox is let go"`
	StemCells     int           `koanf:"prewarmed" usage:"prewarmed sandboxes per runtime; 0 makes all on demand"`

	Retention time.Duration `koanf:"retention" usage:"age at which invocations and logs are deleted"`

	MetricsBySecond time.Duration `koanf:"metrics_seconds" usage:"how long metrics are kept by the second"`
	MetricsByMinute time.Duration `koanf:"metrics_minutes" usage:"how long metrics are kept by the minute"`
	MetricsByHour   time.Duration `koanf:"metrics_hours" usage:"how long metrics are kept by the hour"`

	LogFormat string        `koanf:"log_format" usage:"text or json"`
	LogLevel  string        `koanf:"log_level" usage:"debug, info, warn or error"`
	Drain     time.Duration `koanf:"drain" usage:"how long a stopping server waits for calls in flight"`
}

// Default returns the configuration of a server that is told nothing.
func Default() Config {
	return Config{
		Data:          defaultData(),
		Listen:        "127.0.0.1:8080",
		Sandbox:       "native",
		MaxRequestMiB: 6,
		MaxReplyMiB:   6,
		MaxCodeMiB:    50,
		Concurrency:   1000,
		Queue:         100,
		QueueWait:     10 * time.Second,
		KeepAlive:     10 * time.Minute,
		StemCells:     2,
		Retention:     7 * 24 * time.Hour,

		MetricsBySecond: 2 * time.Hour,
		MetricsByMinute: 7 * 24 * time.Hour,
		MetricsByHour:   400 * 24 * time.Hour,

		LogFormat: "text",
		LogLevel:  "info",
		Drain:     20 * time.Second,
	}
}

// defaultData is where the system keeps the state of services when the caller
// is root, and where a user keeps own state otherwise.
func defaultData() string {
	if runtime.GOOS == "linux" && os.Geteuid() == 0 {
		return "/var/lib/hearth"
	}
	if d := os.Getenv("XDG_STATE_HOME"); d != "" {
		return filepath.Join(d, "hearth")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "hearth")
	}
	return "hearth-data"
}

// Validate reports, as an error with code hearth.CodeInvalid, the first setting
// that can't be used.
func (c Config) Validate() error {
	for _, check := range []func() error{c.validateAddresses, c.validateTLS, c.validateSizes, c.validateChoices} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func bad(field, format string, args ...any) *hearth.Error {
	return hearth.Errorf(hearth.CodeInvalid, field+" "+format, args...).WithField(field)
}

func (c Config) validateAddresses() error {
	if c.Data == "" {
		return bad("data", "is empty").WithHint("name a folder: hearth serve --data ./data")
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		return bad("listen", "%q is not an address", c.Listen).WithHint("write host:port, for example 127.0.0.1:8080 or :8080")
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" {
			return bad("public_url", "%q is not the address of a server", c.PublicURL).
				WithHint("write it like https://functions.example.org, without a path")
		}
	}
	_, err := c.Proxies()
	return err
}

// Proxies returns TrustedProxies as networks.
func (c Config) Proxies() ([]netip.Prefix, error) {
	var ps []netip.Prefix
	for _, s := range c.TrustedProxies {
		p, err := netip.ParsePrefix(s)
		if a, aerr := netip.ParseAddr(s); err != nil && aerr == nil {
			p, err = netip.PrefixFrom(a, a.BitLen()), nil
		}
		if err != nil {
			return nil, bad("trusted_proxies", "%q is neither an address nor a network", s).
				WithHint("write it like 10.0.0.0/8 or 192.0.2.7")
		}
		ps = append(ps, p.Masked())
	}
	return ps, nil
}

func (c Config) validateTLS() error {
	switch {
	case c.TLSCert != "" && c.TLSKey == "":
		return bad("tls_key", "is missing beside tls_cert").WithHint("give both --tls-cert and --tls-key")
	case c.TLSKey != "" && c.TLSCert == "":
		return bad("tls_cert", "is missing beside tls_key").WithHint("give both --tls-cert and --tls-key")
	}
	return nil
}

func (c Config) validateSizes() error {
	for _, n := range []struct {
		field       string
		got, lo, hi int
	}{
		{"max_request", c.MaxRequestMiB, 1, 1024},
		{"max_reply", c.MaxReplyMiB, 1, 1024},
		{"max_code", c.MaxCodeMiB, 1, 10240},
		{"concurrency", c.Concurrency, 1, 1 << 20},
		{"queue", c.Queue, 0, 1 << 20},
		{"memory", c.MemoryMiB, 0, 1 << 30},
		{"prewarmed", c.StemCells, 0, 1000},
	} {
		if n.got < n.lo || n.got > n.hi {
			return bad(n.field, "is %d, out of range", n.got).WithHint("use %d to %d", n.lo, n.hi)
		}
	}
	for _, d := range []struct {
		field       string
		got, lo, hi time.Duration
	}{
		{"queue_wait", c.QueueWait, time.Millisecond, time.Hour},
		{"keep_alive", c.KeepAlive, time.Second, 24 * time.Hour},
		{"retention", c.Retention, time.Minute, 10 * 365 * 24 * time.Hour},
		{"metrics_seconds", c.MetricsBySecond, 5 * time.Minute, 7 * 24 * time.Hour},
		{"metrics_minutes", c.MetricsByMinute, max(2*time.Hour, c.MetricsBySecond), 366 * 24 * time.Hour},
		{"metrics_hours", c.MetricsByHour, max(24*time.Hour, c.MetricsByMinute), 10 * 366 * 24 * time.Hour},
		{"drain", c.Drain, 0, time.Hour},
	} {
		if d.got < d.lo || d.got > d.hi {
			return bad(d.field, "is %s, out of range", d.got).WithHint("use %s to %s", d.lo, d.hi)
		}
	}
	return nil
}

func (c Config) validateChoices() error {
	if !slices.Contains([]string{"text", "json"}, c.LogFormat) {
		return bad("log_format", "%q is not known", c.LogFormat).WithHint("use text or json")
	}
	if !slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel) {
		return bad("log_level", "%q is not known", c.LogLevel).WithHint("use debug, info, warn or error")
	}
	if c.Sandbox == "" {
		return bad("sandbox", "is empty").WithHint("use native")
	}
	return nil
}
