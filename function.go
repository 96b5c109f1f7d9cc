package hearth

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Function is a named thing that can be called. Its code and configuration are
// in its versions; what is here may change without a new version.
type Function struct {
	Name      string    `json:"name"`
	Active    int       `json:"active_version"` // number of the version that takes traffic; 0 while none does
	Public    bool      `json:"public"`         // its routes need no key
	Routes    []Route   `json:"routes"`         // besides /fn/{name}/
	CORS      *CORS     `json:"cors,omitempty"` // for /fn/{name}/ and the routes without their own
	Revision  int64     `json:"revision"`       // grows with every change; the API's ETag
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"` // user's name
	UpdatedAt time.Time `json:"updated_at"`
}

// Version is one deploy of a function: code and configuration, never changed.
type Version struct {
	Function   string    `json:"function"`
	Number     int       `json:"number"`  // 1, 2, … within the function
	Runtime    string    `json:"runtime"` // "python3.11", "nodejs20"
	Handler    string    `json:"handler"`
	Sandbox    string    `json:"sandbox"`     // name of the driver
	CodeDigest string    `json:"code_digest"` // "sha256:…" of the bundle
	CodeBytes  int64     `json:"code_bytes"`  // unpacked
	Config     Config    `json:"config"`
	Message    string    `json:"message,omitempty"` // what its author said of it
	CreatedAt  time.Time `json:"created_at"`
	CreatedBy  string    `json:"created_by"`
}

// Ref is the short name of a version: "hello@3".
func (v Version) Ref() string { return fmt.Sprintf("%s@%d", v.Function, v.Number) }

// Config is the part of a version that its author chooses besides the code.
type Config struct {
	Limits       Limits            `json:"limits"`
	Env          map[string]string `json:"env,omitempty"`
	Network      Network           `json:"network"`
	Concurrency  int               `json:"concurrency"` // invocations at once in one sandbox
	MaxScale     int               `json:"max_scale"`   // sandboxes at once; 0 is the server's limit
	MinWarm      int               `json:"min_warm"`    // sandboxes kept ready
	KeepAlive    Duration          `json:"keep_alive"`  // idle time before a sandbox is let go; 0 is the server's
	Batch        Batch             `json:"batch"`
	OnDisconnect Disconnect        `json:"on_disconnect,omitempty"`
	Capture      CaptureMode       `json:"capture,omitempty"` // "" is CaptureErrors
}

// Batch is how synchronous calls are put together; Size 0 or 1 means not at all.
type Batch struct {
	Size int      `json:"size,omitempty"`
	Wait Duration `json:"wait,omitempty"`
}

// Disconnect says what becomes of an invocation whose caller went away.
type Disconnect string

// The choices.
const (
	DisconnectCancel Disconnect = "cancel" // the default
	DisconnectFinish Disconnect = "finish"
)

// Network is what a function may reach.
type Network string

// The networks. Egress is the internet and nothing of the host or its siblings.
const (
	NetworkNone   Network = "none"
	NetworkEgress Network = "egress"
)

// DefaultConfig is what a function gets that configures nothing.
func DefaultConfig() Config {
	return Config{
		Limits: DefaultLimits(), Network: NetworkNone, Concurrency: 1, OnDisconnect: DisconnectCancel, Capture: CaptureErrors,
	}
}

// The upper ends of what a Config may hold; those of its limits are with [Limits].
const (
	MaxConcurrency = 1000
	MaxSandboxes   = 10000 // of a version; Config.MaxScale
	MaxMinWarm     = 100
	MaxKeepAlive   = 24 * time.Hour
	MaxBatchSize   = 1000
	MaxBatchWait   = time.Minute
	MaxEnvBytes    = 32 << 10 // names and values together
)

var envRE = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Validate reports, as an [Error] with code [CodeInvalid], the first field that
// is out of range. Fill the defaults first.
func (c Config) Validate() error {
	if err := c.Limits.Validate(); err != nil {
		return err
	}
	bad := func(field, format string, args ...any) *Error {
		return Errorf(CodeInvalid, field+" "+format, args...).WithField(field)
	}
	switch {
	case c.Network != NetworkNone && c.Network != NetworkEgress:
		return bad("network", "%q is not known", c.Network).WithHint("use none or egress")
	case c.Concurrency < 1 || c.Concurrency > MaxConcurrency:
		return bad("concurrency", "is %d, out of range", c.Concurrency).WithHint("use 1 to %d", MaxConcurrency)
	case c.MaxScale < 0 || c.MaxScale > MaxSandboxes:
		return bad("max_scale", "is %d, out of range", c.MaxScale).WithHint("use 0 (the server's limit) to %d", MaxSandboxes)
	case c.MinWarm < 0 || c.MinWarm > MaxMinWarm:
		return bad("min_warm", "is %d, out of range", c.MinWarm).WithHint("use 0 to %d", MaxMinWarm)
	case c.KeepAlive < 0 || c.KeepAlive.Std() > MaxKeepAlive:
		return bad("keep_alive", "is %s, out of range", c.KeepAlive).WithHint("use 0 (the server's default) to 24h")
	case c.Batch.Size < 0 || c.Batch.Size > MaxBatchSize:
		return bad("batch.size", "is %d, out of range", c.Batch.Size).WithHint("use 0 to %d", MaxBatchSize)
	case c.Batch.Wait < 0 || c.Batch.Wait.Std() > MaxBatchWait:
		return bad("batch.wait", "is %s, out of range", c.Batch.Wait).WithHint("use 0 to 1m")
	case c.OnDisconnect != DisconnectCancel && c.OnDisconnect != DisconnectFinish:
		return bad("on_disconnect", "%q is not known", c.OnDisconnect).WithHint("use cancel or finish")
	case c.Capture != "" && c.Capture != CaptureOff && c.Capture != CaptureErrors && c.Capture != CaptureSampled:
		return bad("capture", "%q is not known", c.Capture).WithHint("use off, errors or sampled")
	}
	size := 0
	for k, v := range c.Env {
		if !envRE.MatchString(k) {
			return bad("env", "holds the name %q, which a process can't have", k).WithHint("use letters, digits and underscores, not starting with a digit")
		}
		if strings.HasPrefix(k, "HEARTH_") {
			return bad("env", "sets %s, which Hearth sets itself", k).WithHint("choose a name that doesn't start with HEARTH_")
		}
		if strings.ContainsRune(v, 0) {
			return bad("env", "has a zero byte in %s", k)
		}
		size += len(k) + len(v) + 2
	}
	if size > MaxEnvBytes {
		return bad("env", "is %d bytes, over the limit of 32 KiB", size).WithHint("put large settings in a file beside the code")
	}
	return nil
}

// Route is an own address of a function, besides /fn/{name}/. Method "" is any
// method. Path is absolute; a final "/*" makes it a prefix. Method and path
// together are what tells routes apart: see [Route.String].
type Route struct {
	Method string `json:"method,omitempty"`
	Path   string `json:"path"`
	CORS   *CORS  `json:"cors,omitempty"` // in place of the function's; without origins, none
}

// String returns the route as [ParseRoute] reads it. Two routes are the same if
// their strings are.
func (r Route) String() string {
	if r.Method == "" {
		return r.Path
	}
	return r.Method + " " + r.Path
}

// Prefix returns the path that r's requests start with and true if r is a prefix.
func (r Route) Prefix() (string, bool) { return strings.CutSuffix(r.Path, "*") }

// reserved are the first path segments that the platform answers itself.
var reserved = []string{"api", "fn", "ui", "metrics", "healthz", "readyz", "openapi.json", "openapi.yaml", "auth", "docs", "favicon.ico"}

var (
	methodRE = regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$`)
	pathRE   = regexp.MustCompile(`^/([A-Za-z0-9._~!$&'()+,;=:@%-]+(/[A-Za-z0-9._~!$&'()+,;=:@%-]+)*/?)?(\*)?$`)
)

// ParseRoute reads "/hello", "/hello/*" or "POST /hello".
func ParseRoute(s string) (Route, error) {
	var r Route
	method, path, ok := strings.Cut(strings.TrimSpace(s), " ")
	if ok {
		r.Method, r.Path = strings.ToUpper(method), strings.TrimSpace(path)
	} else {
		r.Path = method
	}
	return r, r.Validate()
}

// Validate reports, as an [Error] with code [CodeInvalid], what is wrong with r.
func (r Route) Validate() error {
	bad := func(format string, args ...any) *Error {
		return Errorf(CodeInvalid, "route %q "+format, append([]any{r.String()}, args...)...).WithField("route")
	}
	if r.Method != "" && !methodRE.MatchString(r.Method) {
		return bad("has an unknown method").WithHint("use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS, or none for all")
	}
	if !pathRE.MatchString(r.Path) || strings.Contains(r.Path, "/../") || strings.HasSuffix(r.Path, "/..") ||
		strings.Contains(r.Path, "/./") || (strings.HasSuffix(r.Path, "*") && !strings.HasSuffix(r.Path, "/*")) {
		return bad("is not a path").WithHint("start with /, and end with /* for everything below, for example /hello or GET /shop/*")
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(r.Path, "/"), "/")
	for _, res := range reserved {
		if first == res {
			return bad("is reserved for the platform: /%s", res).WithHint("choose a path that doesn't start with /%s", res)
		}
	}
	if r.CORS == nil || r.CORS.None() {
		return nil
	}
	if err := r.CORS.Validate(); err != nil {
		e := *AsError(err)
		e.Message, e.Field = fmt.Sprintf("route %q: %s", r, e.Message), "route."+e.Field
		return &e
	}
	return nil
}

// CORSFor returns the CORS that holds for requests that match r, one of f's
// routes; nil where there is none and the function answers browsers itself.
func (f Function) CORSFor(r Route) *CORS {
	c := f.CORS
	if r.CORS != nil {
		c = r.CORS
	}
	if c == nil || len(c.Origins) == 0 {
		return nil
	}
	return c
}

// CORS is what browsers on other origins may do with a function or one of its
// routes. The platform answers preflight requests itself when it is set.
type CORS struct {
	Origins     []string `json:"origins"` // "https://a.example" or "*"
	Methods     []string `json:"methods,omitempty"`
	Headers     []string `json:"headers,omitempty"`
	Credentials bool     `json:"credentials,omitempty"`
	MaxAge      Duration `json:"max_age,omitempty"`
}

// None reports whether c says nothing at all, which is how a route does without
// the CORS of its function.
func (c CORS) None() bool {
	return len(c.Origins)+len(c.Methods)+len(c.Headers) == 0 && !c.Credentials && c.MaxAge == 0
}

// originRE is an origin as browsers write it (RFC 6454, 6.2).
var originRE = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://([a-z0-9._~-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?$`)

// Validate reports, as an [Error] with code [CodeInvalid], the first thing that
// browsers would not understand. A CORS without origins is not valid.
func (c CORS) Validate() error {
	bad := func(format string, args ...any) *Error {
		return Errorf(CodeInvalid, format, args...).WithField("cors")
	}
	if len(c.Origins) == 0 {
		return bad("cors names no origins").WithHint(`list origins like "https://app.example.org", or "*"`)
	}
	for _, o := range c.Origins {
		if o != "*" && !originRE.MatchString(o) {
			return bad("cors holds %q, which is not an origin", o).
				WithHint(`write it like "https://app.example.org", in lower case and without a path, or "*"`)
		}
	}
	if c.Credentials && slices.Contains(c.Origins, "*") {
		return bad("cors allows credentials to every origin").WithHint("list the origins instead of *")
	}
	for _, s := range slices.Concat(c.Methods, c.Headers) {
		if !isToken(s) {
			return bad("cors holds %q, which is neither a method nor a header", s).
				WithHint("write methods like PUT and headers like X-Request-Id, one in each item of the list")
		}
	}
	if c.MaxAge < 0 || c.MaxAge.Std() > 24*time.Hour {
		return bad("cors max_age is %s, out of range", c.MaxAge).WithHint("use 0 to 24h")
	}
	return nil
}

// isToken reports whether s is a token of RFC 9110, as methods and names of
// headers are.
func isToken(s string) bool {
	for _, r := range s {
		if r <= ' ' || r >= 0x7f || strings.ContainsRune(`()<>@,;:\"/[]?={}`, r) {
			return false
		}
	}
	return s != ""
}

// Runtime is a language at a version, as found on this host: what a driver
// needs to know to start it. The packages under internal/runtime make it; it
// is never changed afterwards.
type Runtime struct {
	Name     string `json:"name"`     // "python3.11", "nodejs20"
	Language string `json:"language"` // "python", "nodejs"
	Version  string `json:"version"`  // "3.11.2", as the interpreter says

	Interpreter string   `json:"interpreter"` // absolute path on the host
	Files       []string `json:"-"`           // host paths (files or folders) the language needs, seen read-only at the same path
	ShimDir     string   `json:"-"`           // host folder of the shim, seen read-only at [ShimMount]
	Command     []string `json:"-"`           // starts the shim; the wire is on file descriptor 3
	Zygote      []string `json:"-"`           // starts a process that forks sealed shims; empty where the language can't fork
	Env         []string `json:"-"`           // "K=V", for Command and Zygote
	MinMemory   int      `json:"-"`           // MiB below which the language doesn't start
}

// Where a sandbox finds things, in every driver.
const (
	ShimMount = "/hearth" // the shim, read-only
	CodeMount = "/code"   // the function's code, read-only
)

// User is somebody who holds keys.
type User struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by"`
}

// Role is what a user may do. Each includes the ones after it.
type Role string

// The roles.
const (
	RoleAdmin     Role = "admin"     // users, keys of others, settings
	RoleDeveloper Role = "developer" // deploy, change, delete, invoke
	RoleViewer    Role = "viewer"    // look
)

// Allows reports whether a user of role r may do what needs role want.
func (r Role) Allows(want Role) bool {
	rank := map[Role]int{RoleViewer: 1, RoleDeveloper: 2, RoleAdmin: 3}
	return rank[r] >= rank[want] && rank[want] > 0
}

// Key is a credential of the API. Only its hash is kept.
type Key struct {
	ID        string     `json:"id"`
	User      string     `json:"user"` // the user's ID
	Name      string     `json:"name"`
	Prefix    string     `json:"prefix"` // the first characters, to tell keys apart
	CreatedAt time.Time  `json:"created_at"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	LastUsed  *time.Time `json:"last_used,omitempty"`
}
