package api

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/engine"
)

// serveNamed answers below /fn/{name}/.
func (a *API) serveNamed(w http.ResponseWriter, r *http.Request) {
	raw := r.URL.EscapedPath()
	name, below, _ := strings.Cut(strings.TrimPrefix(raw, "/fn/"), "/")
	f, ok := a.functions.get(name)
	if !ok {
		ownHeaders(w)
		a.fail(w, r, noFunction(name))
		return
	}
	if crossOrigin(w, r, anyMethod(f.CORSFor(hearth.Route{}))) {
		return
	}
	path, err := url.PathUnescape("/" + below)
	if err != nil {
		a.fail(w, r, hearth.Errorf(hearth.CodeInvalid, "the path can't be read"))
		return
	}
	a.serveFunction(w, r, f, "$default", path)
}

// serveRoute answers on the routes that functions have chosen.
func (a *API) serveRoute(w http.ResponseWriter, r *http.Request) {
	state := a.functions.state.Load()
	t, ok, others := state.match(asked(r), r.URL.Path)
	switch {
	case ok:
		if crossOrigin(w, r, func(method string) (target, bool) {
			t, ok, _ := state.match(method, r.URL.Path)
			return t, ok
		}) {
			return
		}
		a.serveFunction(w, r, state.functions[t.function], t.route.String(), r.URL.Path)
	case len(others) > 0:
		ownHeaders(w)
		allowOriginOf(w.Header(), r, others)
		a.fail(w, r, methodNotAllowed(w, r, methodsOf(others)...))
	case r.URL.Path == "/":
		ownHeaders(w)
		http.Redirect(w, r, "/ui/", http.StatusTemporaryRedirect)
	default:
		ownHeaders(w)
		a.fail(w, r, notFound(r))
	}
}

// serveFunction makes an HTTP event of a request and sends the reply.
func (a *API) serveFunction(w http.ResponseWriter, r *http.Request, f active, route, path string) {
	id, err := a.mayCall(r, f)
	if err != nil {
		ownHeaders(w)
		a.fail(w, r, err)
		return
	}
	// A service worker of one function would sit between the browser and every
	// other page of this address, the dashboard included.
	if r.Header.Get("Service-Worker") != "" {
		a.fail(w, r, hearth.Errorf(hearth.CodeForbidden, "functions can't install service workers"))
		return
	}
	body, err := a.readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	from := a.from.of(r)
	a.invoke(w, r, engine.Call{
		Function: f.Name, Trigger: hearth.TriggerHTTP, Caller: id.user.Name,
		Event: hearth.Event{Body: body, HTTP: &hearth.HTTPRequest{
			Method: r.Method, Path: path, RawPath: r.URL.EscapedPath(), RawQuery: r.URL.RawQuery,
			Headers: eventHeaders(r, from), Host: from.Host, Scheme: from.Scheme, Protocol: r.Proto,
			SourceIP: from.IP, Route: route,
		}},
	}, id)
}

// mayCall finds out who calls. A public function is open to strangers; a key is
// looked at all the same, because errors say more to those who have one.
func (a *API) mayCall(r *http.Request, f active) (identity, error) {
	if f.Public {
		if !ours(bearer(r)) {
			return identity{}, nil
		}
		id, err := a.identify(r)
		if err != nil || id.allow(hearth.RoleDeveloper) != nil {
			return identity{}, nil
		}
		return id, nil
	}
	return a.authorize(r, hearth.RoleDeveloper)
}

// hopByHop are the headers that belong to one connection (RFC 9110, 7.6.1).
var hopByHop = []string{
	"Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

func dropHopByHop(h http.Header) {
	for _, v := range h.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopByHop {
		h.Del(name)
	}
}

// eventHeaders is what a function sees: no credential of the platform's, no
// word about the way here but the gateway's own.
func eventHeaders(r *http.Request, from origin) map[string][]string {
	h := r.Header.Clone()
	dropHopByHop(h)
	if ours(bearer(r)) {
		h.Del("Authorization")
	}
	dropSessionCookie(h)
	for name := range h {
		if strings.HasPrefix(name, "X-Hearth-") {
			h.Del(name)
		}
	}
	for _, name := range []string{"Forwarded", "X-Real-Ip", "X-Forwarded-Port"} {
		if !from.Trusted {
			h.Del(name)
		}
	}
	h.Set("Host", from.Host)
	h.Set("X-Forwarded-For", from.IP)
	h.Set("X-Forwarded-Proto", from.Scheme)
	h.Set("X-Forwarded-Host", from.Host)
	return h
}

// dropSessionCookie keeps the dashboard's session from functions.
func dropSessionCookie(h http.Header) {
	if !strings.Contains(strings.Join(h["Cookie"], ";"), sessionCookie) {
		return
	}
	var keep []string
	for _, line := range h["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			name, _, _ := strings.Cut(strings.TrimSpace(part), "=")
			if name != sessionCookie && name != "" {
				keep = append(keep, strings.TrimSpace(part))
			}
		}
	}
	if len(keep) == 0 {
		h.Del("Cookie")
		return
	}
	h["Cookie"] = []string{strings.Join(keep, "; ")}
}

// setReplyHeaders copies what a function may set.
func setReplyHeaders(w http.ResponseWriter, r *http.Request, reply *engine.Reply) {
	h := w.Header()
	from := make(http.Header, len(reply.Headers))
	for k, vs := range reply.Headers {
		name := http.CanonicalHeaderKey(k)
		from[name] = append(from[name], vs...)
	}
	dropHopByHop(from)
	cors := h.Get("Access-Control-Allow-Origin") != ""
	for _, name := range slices.Sorted(maps.Keys(from)) {
		switch {
		case name == "Content-Length", name == "Service-Worker-Allowed", name == "Clear-Site-Data",
			strings.HasPrefix(name, "X-Hearth-"),
			strings.HasPrefix(name, http.TrailerPrefix): // net/http would send what follows as a trailer, whatever it is
		case cors && strings.HasPrefix(name, "Access-Control-"):
		case name == "Vary":
			h[name] = append(h[name], from[name]...)
		case name == "Set-Cookie":
			h[name] = slices.DeleteFunc(from[name], func(c string) bool {
				n, _, _ := strings.Cut(c, "=")
				n = strings.TrimSpace(n)
				// Browsers send a cookie without a name as its value alone,
				// which may look like another cookie.
				return n == sessionCookie || n == ""
			})
		default:
			h[name] = from[name]
		}
	}
	// The dashboard lives at the same address. A page of a function that a
	// signed-in person opens could act as that person; the sandbox gives it an
	// origin of its own.
	if _, err := r.Cookie(sessionCookie); err == nil {
		h.Add("Content-Security-Policy", "sandbox allow-scripts allow-forms allow-popups allow-modals allow-downloads")
	}
	h.Set(rest.HeaderInvocation, reply.ID)
}
