package api

import (
	"net/http"
	"reflect"
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

// asked returns the method that a request is about: a preflight is about the
// request to come.
func asked(r *http.Request) string {
	if isPreflight(r) {
		return r.Header.Get("Access-Control-Request-Method")
	}
	return r.Method
}

// resource is what answers at one address: the route that requests of a method
// reach, if there is one.
type resource func(method string) (target, bool)

// anyMethod is an address where all methods have the same CORS.
func anyMethod(c *hearth.CORS) resource {
	return func(string) (target, bool) { return target{cors: c}, true }
}

// crossOrigin says on the reply, whatever that will be, whether the asking
// origin may read it. It answers preflights and returns true for those: no
// function is started, and no key is needed, as browsers send none. Without
// CORS a preflight is a request like others, and the function's to answer.
func crossOrigin(w http.ResponseWriter, r *http.Request, at resource) (answered bool) {
	t, _ := at(asked(r))
	if t.cors == nil {
		return false
	}
	allowOrigin(w.Header(), r, t.cors)
	if !isPreflight(r) {
		return false
	}
	preflight(w, t, at)
	return true
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
		h.Set("Access-Control-Expose-Headers",
			strings.Join([]string{rest.HeaderInvocation, rest.HeaderVersion, rest.HeaderStart, "Retry-After"}, ", "))
	}
}

// allowOriginOf is allowOrigin for a reply that no route gives: an origin that
// may read one of the routes may read that its method is not among them.
func allowOriginOf(h http.Header, r *http.Request, ts []target) {
	ts = slices.DeleteFunc(slices.Clone(ts), func(t target) bool { return t.cors == nil })
	if len(ts) == 0 {
		return
	}
	best := slices.IndexFunc(ts, func(t target) bool {
		return slices.Contains(t.cors.Origins, "*") || slices.Contains(t.cors.Origins, r.Header.Get("Origin"))
	})
	allowOrigin(h, r, ts[max(0, best)].cors)
}

// preflight answers in the place of t's function.
//
// Browsers keep the answer by address: methods each for itself, but headers for
// all of them. So it names only methods that reach the same CORS, and is not to
// be kept where a method of this address has another: what one route allows
// would be taken for what the other does.
func preflight(w http.ResponseWriter, t target, at resource) {
	h := w.Header()
	h.Add("Vary", "Access-Control-Request-Method")
	h.Add("Vary", "Access-Control-Request-Headers")
	if h.Get("Access-Control-Allow-Origin") != "" {
		methods, mixed := allowedMethods(t, at)
		h.Set("Access-Control-Allow-Methods", strings.Join(methods, ", "))
		headers := t.cors.Headers
		if len(headers) == 0 {
			headers = []string{"Authorization", "Content-Type"}
		}
		h.Set("Access-Control-Allow-Headers", strings.Join(headers, ", "))
		switch {
		case mixed:
			h.Set("Access-Control-Max-Age", "0")
		case t.cors.MaxAge > 0:
			h.Set("Access-Control-Max-Age", strconv.Itoa(int(t.cors.MaxAge.Std()/time.Second)))
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// allowedMethods returns the methods that t's CORS allows and that have it at
// this address, and whether methods with another CORS are there too.
func allowedMethods(t target, at resource) (methods []string, mixed bool) {
	usual := []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
	allowed := t.cors.Methods
	if len(allowed) == 0 {
		allowed = usual
		if t.route.Method == http.MethodOptions {
			allowed = []string{http.MethodOptions}
		}
	}
	for _, m := range slices.Concat(allowed, usual, []string{http.MethodOptions}) {
		other, ok := at(m)
		switch {
		case !ok:
		case !reflect.DeepEqual(other.cors, t.cors):
			mixed = true
		case slices.Contains(allowed, m) && !slices.Contains(methods, m):
			methods = append(methods, m)
		}
	}
	return methods, mixed
}
