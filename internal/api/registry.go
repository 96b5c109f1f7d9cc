package api

import (
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"hearth"
)

// registry holds the functions that can be called, in memory: the database is
// not on the path of a call. Readers see one state or the next, whole.
type registry struct {
	mu    sync.Mutex
	state atomic.Pointer[routing]
}

// active is a function and the version that takes its traffic.
type active struct {
	hearth.Function
	version hearth.Version
}

// routing is one state. It is never changed.
type routing struct {
	functions map[string]active
	exact     map[string][]target
	prefixes  []prefixTargets // longest first
}

// target is a function's route.
type target struct {
	route    hearth.Route
	function string
	cors     *hearth.CORS // the route's or the function's; nil for none
}

type prefixTargets struct {
	prefix  string // ends in "/"
	targets []target
}

func newRegistry() *registry {
	r := &registry{}
	r.state.Store(newRouting(nil))
	return r
}

func (r *registry) put(f hearth.Function, v hearth.Version) {
	r.change(func(fs map[string]active) { fs[f.Name] = active{f, v} })
}

func (r *registry) remove(name string) {
	r.change(func(fs map[string]active) { delete(fs, name) })
}

// update replaces the function and keeps its version.
func (r *registry) update(f hearth.Function) {
	r.change(func(fs map[string]active) {
		if old, ok := fs[f.Name]; ok && f.Revision >= old.Revision {
			fs[f.Name] = active{f, old.version}
		}
	})
}

func (r *registry) change(edit func(map[string]active)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fs := maps.Clone(r.state.Load().functions)
	edit(fs)
	r.state.Store(newRouting(fs))
}

func (r *registry) get(name string) (active, bool) {
	f, ok := r.state.Load().functions[name]
	return f, ok
}

func newRouting(fs map[string]active) *routing {
	s := &routing{functions: fs, exact: map[string][]target{}}
	if fs == nil {
		s.functions = map[string]active{}
	}
	byPrefix := map[string][]target{}
	for name, f := range fs {
		for _, r := range f.Routes {
			path, isPrefix := r.Prefix()
			if u, err := url.PathUnescape(path); err == nil {
				path = u
			}
			into := s.exact
			if isPrefix {
				into = byPrefix
			}
			into[path] = append(into[path], target{r, name, f.CORSFor(r)})
		}
	}
	for p, ts := range byPrefix {
		s.prefixes = append(s.prefixes, prefixTargets{p, ts})
	}
	slices.SortFunc(s.prefixes, func(a, b prefixTargets) int { return len(b.prefix) - len(a.prefix) })
	return s
}

// match finds the route of a request: an exact path before a prefix, a longer
// prefix before a shorter one, and among equal paths one with the request's
// method before one for all. Where only routes of other methods match, they are
// returned, the most specific first.
func (s *routing) match(method, path string) (t target, ok bool, others []target) {
	candidates := [][]target{s.exact[path]}
	for _, p := range s.prefixes {
		if strings.HasPrefix(path, p.prefix) || path+"/" == p.prefix {
			candidates = append(candidates, p.targets)
		}
	}
	for _, ts := range candidates {
		if t, ok := byMethod(ts, method); ok {
			return t, true, nil
		}
		others = append(others, ts...)
	}
	return target{}, false, others
}

// methodsOf returns the methods of routes, sorted.
func methodsOf(ts []target) []string {
	var ms []string
	for _, t := range ts {
		ms = append(ms, t.route.Method)
	}
	slices.Sort(ms)
	return slices.Compact(ms)
}

// byMethod picks the route for a method. HEAD asks what GET would answer.
func byMethod(ts []target, method string) (target, bool) {
	for _, want := range []string{method, headOf(method), ""} {
		for _, t := range ts {
			if t.route.Method == want {
				return t, true
			}
		}
	}
	return target{}, false
}

func headOf(method string) string {
	if method == "HEAD" {
		return "GET"
	}
	return method
}
