package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

func gzipped(t *testing.T, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// dashboard is an API with a build as scripts/web.sh leaves it.
func dashboard(t *testing.T) *API {
	t.Helper()
	return New(Options{Web: fstest.MapFS{
		".gitkeep":           {},
		"index.html":         {Data: []byte(`<meta name="csp-nonce" content="__CSP_NONCE__">`)},
		"icon.svg":           {Data: []byte("<svg/>")},
		"assets/app-x.js.br": {Data: []byte("brotli")},
		"assets/app-x.js.gz": {Data: gzipped(t, "let x")},
	}})
}

func ask(a *API, path, accept string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if accept != "" {
		r.Header.Set("Accept-Encoding", accept)
	}
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Result()
}

func text(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestEachPageHasANonceOfItsOwn(t *testing.T) {
	a := dashboard(t)
	seen := map[string]bool{}
	for _, path := range []string{"/ui/", "/ui/index.html", "/ui/functions/hello?tab=logs", "/ui/python3.11"} {
		r := ask(a, path, "br, gzip")
		body := text(t, r)
		nonce := regexp.MustCompile(`content="(\w{20,})"`).FindStringSubmatch(body)
		if r.StatusCode != 200 || nonce == nil || r.Header.Get("Cache-Control") != "no-cache" {
			t.Fatalf("%s: %s %q %q", path, r.Status, r.Header, body)
		}
		policy := r.Header.Get("Content-Security-Policy")
		if !strings.Contains(policy, "style-src 'self' 'nonce-"+nonce[1]+"'") || strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %s", path, policy)
		}
		if seen[nonce[1]] {
			t.Errorf("%s: the nonce was there before", path)
		}
		seen[nonce[1]] = true
	}
}

func TestAssetsComeAsTheCallerTakesThem(t *testing.T) {
	a := dashboard(t)
	for accept, want := range map[string][2]string{
		"gzip, deflate, br":   {"br", "brotli"},
		"GZIP;q=0.5":          {"gzip", string(gzipped(t, "let x"))},
		"br;q=0, gzip;q=1.0":  {"gzip", string(gzipped(t, "let x"))},
		"br; q=0,gzip; q=0.0": {"", "let x"},
		"":                    {"", "let x"},
	} {
		r := ask(a, "/ui/assets/app-x.js", accept)
		if got := [2]string{r.Header.Get("Content-Encoding"), text(t, r)}; got != want {
			t.Errorf("%q gets %q", accept, got)
		}
		if r.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || r.Header.Get("Vary") != "Accept-Encoding" ||
			r.Header.Get("Content-Type") != "text/javascript; charset=utf-8" {
			t.Errorf("%q gets the headers %v", accept, r.Header)
		}
	}
	if r := ask(a, "/ui/icon.svg", ""); r.Header.Get("Cache-Control") != "no-cache" || r.Header.Get("Content-Type") != "image/svg+xml" {
		t.Errorf("a file without a hash in its name: %v", r.Header)
	}
}

func TestAnAssetOfAnotherBuildIsMissing(t *testing.T) {
	a := dashboard(t)
	for _, path := range []string{"/ui/assets/app-old.js", "/ui/assets/", "/ui/assets/app-x.js.gz"} {
		if r := ask(a, path, ""); r.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %s", path, r.Status)
		}
	}
}
