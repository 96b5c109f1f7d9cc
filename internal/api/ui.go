package api

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"hearth"
)

const (
	uiIndex  = "index.html"
	uiAssets = "assets/" // names with a hash of what is in them: they never change

	// uiNonce stands in the page where the nonce of its reply belongs.
	uiNonce = "__CSP_NONCE__"

	// uiPolicy lets the page run and reach nothing but what we serve. The
	// libraries of the dashboard make style sheets while it runs: these carry
	// the nonce, which is new in each reply.
	uiPolicy = "default-src 'self'; style-src 'self' 'nonce-%s'; img-src 'self' data:; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
)

// ui is the dashboard: files that were compressed when it was built, and one
// page for every address that is none of them, because the page finds its way
// itself.
type ui struct {
	index []byte
	files map[string]uiFile
}

type uiFile struct {
	kind   string // content type
	plain  []byte
	coded  map[string][]byte // by content encoding
	stable bool              // never changes
}

// kinds are the content types of what a build holds. The host's own tables
// aren't asked: some say of scripts what browsers refuse to run.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
	".json": "application/json", ".png": "image/png", ".svg": "image/svg+xml", ".txt": "text/plain; charset=utf-8",
}

// encodings are those a build holds, best first, with the ends of their names.
var encodings = []struct{ name, end string }{{"br", ".br"}, {"gzip", ".gz"}}

// newUI reads the files. Without a page there is no dashboard.
func newUI(files fs.FS) (*ui, error) {
	u := &ui{files: map[string]uiFile{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path.Base(name), ".") {
			return err
		}
		b, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		base, encoding := name, ""
		for _, e := range encodings {
			if short, ok := strings.CutSuffix(name, e.end); ok {
				base, encoding = short, e.name
			}
		}
		f := u.files[base]
		if f.coded == nil {
			f = uiFile{kind: kinds[path.Ext(base)], coded: map[string][]byte{}, stable: strings.HasPrefix(base, uiAssets)}
		}
		if encoding == "" {
			f.plain = b
		} else {
			f.coded[encoding] = b
		}
		u.files[base] = f
		return nil
	})
	if err != nil {
		return nil, err
	}
	u.index = u.files[uiIndex].plain
	delete(u.files, uiIndex)
	if u.index == nil {
		return nil, fmt.Errorf("read the dashboard: %w", fs.ErrNotExist)
	}
	return u, nil
}

// serveUI answers with the dashboard's files, which hold nothing secret.
func (a *API) serveUI(w http.ResponseWriter, r *http.Request, deeper bool) {
	ownHeaders(w)
	switch {
	case !deeper:
		http.Redirect(w, r, "/ui/", http.StatusTemporaryRedirect)
	case a.ui == nil:
		a.fail(w, r, hearth.Errorf(hearth.CodeNotFound, "this server was built without the dashboard"))
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		a.fail(w, r, methodNotAllowed(w, r, http.MethodGet, http.MethodHead))
	default:
		a.serveUIFile(w, r, strings.TrimPrefix(r.URL.Path, "/ui/"))
	}
}

func (a *API) serveUIFile(w http.ResponseWriter, r *http.Request, name string) {
	f, ok := a.ui.files[name]
	switch {
	case ok:
		f.serve(w, r)
	case strings.HasPrefix(name, uiAssets): // of another build: a page in its place would be run as a script
		a.fail(w, r, notFound(r))
	default:
		a.ui.servePage(w)
	}
}

func (u *ui) servePage(w http.ResponseWriter) {
	nonce := rand.Text()
	page := bytes.ReplaceAll(u.index, []byte(uiNonce), []byte(nonce))
	h := w.Header()
	h.Set("Content-Security-Policy", fmt.Sprintf(uiPolicy, nonce))
	h.Set("Cache-Control", "no-cache")
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(page)))
	_, _ = w.Write(page)
}

func (f uiFile) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	if h.Set("Content-Type", "application/octet-stream"); f.kind != "" {
		h.Set("Content-Type", f.kind)
	}
	h.Set("Vary", "Accept-Encoding")
	h.Set("Cache-Control", "no-cache")
	if f.stable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	body := f.plain
	for _, e := range encodings {
		if coded, ok := f.coded[e.name]; ok && accepts(r, e.name) {
			h.Set("Content-Encoding", e.name)
			body = coded
			break
		}
	}
	if body == nil { // only compressed ones are in the build, and the caller takes none
		zr, err := gzip.NewReader(bytes.NewReader(f.coded["gzip"]))
		if err != nil {
			return
		}
		_, _ = io.Copy(w, zr)
		return
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// accepts reports whether the caller takes a content encoding.
func accepts(r *http.Request, encoding string) bool {
	for part := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, q, _ := strings.Cut(part, ";")
		if strings.EqualFold(strings.TrimSpace(name), encoding) {
			weight, ok := strings.CutPrefix(strings.ReplaceAll(q, " ", ""), "q=")
			n, err := strconv.ParseFloat(weight, 64)
			return !ok || (err == nil && n > 0)
		}
	}
	return false
}
