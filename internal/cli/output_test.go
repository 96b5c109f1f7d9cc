package cli

import (
	"strings"
	"testing"
	"time"

	"hearth"
)

func TestQuantile(t *testing.T) {
	var vs []time.Duration
	for i := range 100 {
		vs = append(vs, time.Duration(i+1))
	}
	for q, want := range map[float64]hearth.Duration{0: 1, .5: 50, .95: 95, .99: 99, 1: 100} {
		if got := quantile(vs, q); got != want {
			t.Errorf("the %v quantile of 1..100 is %d, want %d", q, got, want)
		}
	}
	if quantile(nil, .5) != 0 || quantile(vs[:1], .99) != 1 {
		t.Error("few values have no quantiles")
	}
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		part, whole time.Duration
		want        int
	}{{0, 10, 0}, {5, 0, 0}, {-1, 10, 0}, {1, 1000, 1}, {5, 10, 5}, {10, 10, 10}, {20, 10, 10}, {time.Hour, 2 * time.Hour, 5}} {
		if got := strings.Count(waterfall(0, c.part, c.whole, 10), "█"); got != c.want {
			t.Errorf("%v of %v is %d blocks, want %d", c.part, c.whole, got, c.want)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"memory", "timeout", "min-warm", "hello", "cpu"}
	for s, want := range map[string]string{
		"memroy": "memory", "memory": "memory", "time-out": "timeout", "helo": "hello", "ehllo": "hello", "minwarm": "min-warm",
		"cp": "cpu", "frobnicate": "", "": "", "x": "", "weather": "",
	} {
		if got := nearest(s, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", s, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"", "ab", 2}, {"ab", "ba", 1}, {"kitten", "sitting", 3}, {"über", "uber", 1}} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("from %q to %q it is %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

func TestSizesAndTimes(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "-", 1234 * time.Microsecond: "1.23 ms", 12345 * time.Microsecond: "12.3 ms", 1234 * time.Millisecond: "1234 ms", 75 * time.Second: "75.0 s",
	} {
		if got := millis(hearth.Duration(d)); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 20: "5.0 MiB", 3 << 30: "3.00 GiB"} {
		if got := size(n); got != want {
			t.Errorf("%d is %q, want %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "now", 5 * time.Second: "5s ago", 90 * time.Second: "1m ago", 3 * time.Hour: "3h ago", 72 * time.Hour: "3d ago",
	} {
		if got := ago(time.Now().Add(-d)); got != want {
			t.Errorf("%v before is %q, want %q", d, got, want)
		}
	}
	if ago(time.Time{}) != "-" {
		t.Error("no time is some time")
	}
	for in, want := range map[string]mib{"128": 128, "128MiB": 128, " 64 M ": 64, "2GiB": 2048, "1G": 1024} {
		var m mib
		if err := m.Set(in); err != nil || m != want {
			t.Errorf("%q is %d (%v), want %d", in, m, err, want)
		}
	}
	for _, in := range []string{"", "x", "-1", "1.5", "9999999999999999999", "1T"} {
		if new(mib).Set(in) == nil {
			t.Errorf("%q is a size", in)
		}
	}
}

func TestDefaultName(t *testing.T) {
	for path, want := range map[string]string{
		"/x/hello": "hello", "/x/hello.py": "hello", "My_Shop.mjs": "my-shop", "/x/a.tar.gz": "a", "/x/a.b.zip": "a-b", "/x/.py": "py",
	} {
		if got := defaultName(path); got != want {
			t.Errorf("%s is called %q, want %q", path, got, want)
		}
	}
}

func TestScheme(t *testing.T) {
	for address, want := range map[string]string{
		"localhost:8080": "http", "127.0.0.1": "http", "[::1]:80": "http", "faas.example.org": "https", "10.0.0.1:8080": "https",
	} {
		if got := scheme(address); got != want {
			t.Errorf("%s is reached by %s, want %s", address, got, want)
		}
	}
}

// What a function prints must not speak to the terminal of who reads it.
func TestFunctionsDontSpeakToTheTerminal(t *testing.T) {
	for in, want := range map[string]string{
		"plain, Zoë, 日本語 \t tab\nline": "plain, Zoë, 日本語 \t tab\nline",
		"\x1b[2J\x1b]52;c;cm0=\a":      `\x1b[2J\x1b]52;c;cm0=\x07`,
		"gone\rback\b":                 `gone\x0dback\x08`,
		"\u009b31m\x7f":                `\u009b31m\x7f`,
		"\u202egnp.exe\u2066":          `\u202egnp.exe\u2066`,
		"\xff\x1b\xc3":                 `\xff\x1b\xc3`,
		"\ufffd\x00":                   "\ufffd" + `\x00`,
	} {
		if got := harmless(in); got != want {
			t.Errorf("harmless(%q) = %q, want %q", in, got, want)
		}
		var b strings.Builder
		w := &harmlessWriter{w: &b}
		for i := range len(in) { // byte by byte
			if n, err := w.Write([]byte{in[i]}); n != 1 || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := w.Close(); err != nil || b.String() != want {
			t.Errorf("written byte by byte, %q became %q, want %q (%v)", in, b.String(), want, err)
		}
	}
	var b strings.Builder
	evil := "\x1b[A\x1b[2Kadmin key revoked"
	printLine(&printer{w: &b, form: formatTable, color: true}, hearth.LogLine{Text: evil, Level: "ERROR", Function: "f"}, true)
	a := &App{Err: &b, Env: func(string) string { return "" }}
	a.printError(&hearth.Error{Code: hearth.CodeFunctionError, Message: evil, Trace: "line\n" + evil, Hint: evil})
	if strings.Contains(b.String(), "\x1b[A") || strings.Contains(b.String(), "\x1b[2K") {
		t.Errorf("it says %q", b.String())
	}
}
