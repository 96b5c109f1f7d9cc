package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"hearth"
	"hearth/client/rest"
)

// isPreflight reports whether a browser asks what another origin may do.
func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" &&
		r.Header.Get("Access-Control-Request-Method") != ""
}

// allowOrigin says on each reply whether the asking origin may read it.
func allowOrigin(h http.Header, r *http.Request, c *hearth.CORS) {
	all := slices.Contains(c.Origins, "*")
	if !all {
		h.Add("Vary", "Origin")
	}
	asking := r.Header.Get("Origin")
	switch {
	case asking == "":
	case all:
		h.Set("Access-Control-Allow-Origin", "*")
	case slices.Contains(c.Origins, asking):
		h.Set("Access-Control-Allow-Origin", asking)
		if c.Credentials {
			h.Set("Access-Control-Allow-Credentials", "true")
		}
	}
	if h.Get("Access-Control-Allow-Origin") != "" && !isPreflight(r) {
		h.Set("Access-Control-Expose-Headers", rest.HeaderInvocation+", "+rest.HeaderVersion+", "+rest.HeaderStart)
	}
}

// preflight answers in the function's place: no function is started, and no key
// is needed, as browsers send none.
func preflight(w http.ResponseWriter, r *http.Request, c *hearth.CORS) {
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method")
	h.Add("Vary", "Access-Control-Request-Headers")
	if h.Get("Access-Control-Allow-Origin") != "" {
		methods := c.Methods
		if len(methods) == 0 {
			methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
		}
		h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
		headers := c.Headers
		if len(headers) == 0 {
			headers = []string{"Authorization", "Content-Type"}
		}
		h.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
		if c.MaxAge > 0 {
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(c.MaxAge.Std()/time.Second)))
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// validateCORS reports the first thing that browsers would not understand.
func validateCORS(c *hearth.CORS) error {
	if c == nil {
		return nil
	}
	bad := func(format string, args ...any) *hearth.Error {
		return hearth.Errorf(hearth.CodeInvalid, format, args...).WithField("cors")
	}
	if len(c.Origins) == 0 {
		return bad("cors names no origins").WithHint(`list origins like "https://app.example.org", or "*"`)
	}
	for _, o := range c.Origins {
		u, err := url.Parse(o)
		if o != "*" && (err != nil || u.Host == "" || u.Scheme+"://"+u.Host != o) {
			return bad("cors holds %q, which is not an origin", o).WithHint(`write it like "https://app.example.org", without a path, or "*"`)
		}
	}
	if c.Credentials && slices.Contains(c.Origins, "*") {
		return bad("cors allows credentials to every origin").WithHint("list the origins instead of *")
	}
	for _, s := range slices.Concat(c.Methods, c.Headers) {
		if !isToken(s) {
			return bad("cors holds %q, which is neither a method nor a header", s)
		}
	}
	if c.MaxAge < 0 || c.MaxAge.Std() > 24*time.Hour {
		return bad("cors max_age is %s, out of range", c.MaxAge).WithHint("use 0 to 24h")
	}
	return nil
}

func isToken(s string) bool {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) {
			return false
		}
	}
	return s != ""
}
