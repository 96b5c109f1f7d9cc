package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/oklog/ulid/v2"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/engine"
)

// writeIdle is how long a client may take to accept a piece of a reply.
const writeIdle = time.Minute

func (a *API) invocationOps() []operation {
	return []operation{
		op("invoke-function", "POST", "/functions/{name}/invoke", "invocations", "Call a function", hearth.RoleDeveloper).
			doc(func(o *huma.Operation) {
				o.Description = "The body is the event's JSON document; nothing is null. The reply is what the handler returned, raw, " +
					"or piece by piece if it streams. Headers of the reply: " + rest.HeaderInvocation + ", " +
					rest.HeaderVersion + ", " + rest.HeaderStart + " (warm, prewarmed, forked, spawned or restored)."
				o.Parameters = []*huma.Param{queryParam("version", "integer", "the active one if not given")}
				o.RequestBody = &huma.RequestBody{Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{}}}}
				o.Responses = map[string]*huma.Response{"200": {
					Description: "The handler's reply", Content: map[string]*huma.MediaType{"application/json": {Schema: &huma.Schema{}}},
				}}
			}).stream(a.invokeFunction),
		call(a, op("list-invocations", "GET", "/invocations", "invocations", "List calls", hearth.RoleViewer), a.listInvocations),
		call(a, op("get-invocation", "GET", "/invocations/{id}", "invocations", "Get the record of a call", hearth.RoleViewer), a.getInvocation),
	}
}

func (a *API) invokeFunction(w http.ResponseWriter, r *http.Request) {
	version, err := versionParam(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	name := r.PathValue("name")
	if _, ok := a.functions.get(name); !ok {
		a.fail(w, r, noFunction(name))
		return
	}
	body, err := a.readBody(w, r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if err := checkEvent(body); err != nil {
		a.fail(w, r, err)
		return
	}
	id := caller(r.Context())
	a.invoke(w, r, engine.Call{
		Function: name, Version: version, Trigger: hearth.TriggerAPI, Caller: id.user.Name,
		Event: hearth.Event{Body: body},
	}, id)
}

// checkEvent fails if an event isn't a JSON document: that is the caller's
// mistake, and no sandbox need start to find it.
func checkEvent(body []byte) error {
	if len(body) == 0 || json.Valid(body) {
		return nil
	}
	var v json.RawMessage
	err := json.Unmarshal(body, &v)
	before := body
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) && !strings.HasPrefix(syntax.Error(), "unexpected end") {
		before = body[:max(0, syntax.Offset-1)] // the offset counts the byte at fault
	}
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return hearth.Errorf(hearth.CodeInvalid, "the event isn't JSON: %v (line %d, column %d)", err, line, column).
		WithHint("send one JSON document, in which texts and names stand in double quotes: {\"name\": \"Ada\"}")
}

func noFunction(name string) *hearth.Error {
	return hearth.Errorf(hearth.CodeNotFound, "there is no function %q", name).
		WithHint("hearth list shows those that there are")
}

// versionParam returns the version that a query asks for, 0 for the active one.
func versionParam(r *http.Request) (int, error) {
	s := r.URL.Query().Get("version")
	if s == "" {
		return 0, nil
	}
	return parseVersion(s, "version")
}

func parseVersion(s, field string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, hearth.Errorf(hearth.CodeInvalid, "%q is not the number of a version", s).WithField(field)
	}
	return n, nil
}

// readBody reads an event's body, of bounded size and in bounded time.
func (a *API) readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > a.o.MaxRequest {
		return nil, a.tooLarge()
	}
	b, err := io.ReadAll(a.pacedBody(w, r, a.o.MaxRequest))
	if err != nil {
		return nil, a.bodyError(r.Context(), err)
	}
	return b, nil
}

// pacedBody gives the next piece of the body a.o.BodyIdle to come, and lifts the
// deadline at its end, where the connection must live on for the reply.
func (a *API) pacedBody(w http.ResponseWriter, r *http.Request, limit int64) io.Reader {
	if r.Body == nil || r.Body == http.NoBody {
		return http.NoBody
	}
	rc := http.NewResponseController(w)
	return &pacedReader{
		r: http.MaxBytesReader(w, r.Body, limit), rc: rc, idle: a.o.BodyIdle,
		end: time.Now().Add(bodyTotal),
	}
}

// bodyTotal bounds a body that comes drop by drop.
const bodyTotal = 10 * time.Minute

type pacedReader struct {
	r    io.Reader
	rc   *http.ResponseController
	idle time.Duration
	end  time.Time
}

func (p *pacedReader) Read(b []byte) (int, error) {
	next := time.Now().Add(p.idle)
	if next.After(p.end) {
		next = p.end
	}
	_ = p.rc.SetReadDeadline(next) // not supported under some test servers
	n, err := p.r.Read(b)
	if err == io.EOF {
		_ = p.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

func (a *API) tooLarge() *hearth.Error {
	return hearth.Errorf(hearth.CodeTooLarge, "the body is over the limit of %d bytes", a.o.MaxRequest).
		WithHint("send less, or start the server with a larger --max-request")
}

// bodyError says what became of a body that could not be read.
func (a *API) bodyError(ctx context.Context, err error) error {
	var tooLarge *http.MaxBytesError
	var own *hearth.Error
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &tooLarge):
		return a.tooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return hearth.Errorf(hearth.CodeInvalid, "the body stopped half-way: nothing came for %s", a.o.BodyIdle).
			WithHint("send it without long pauses")
	case ctx.Err() != nil && !errors.Is(err, io.ErrUnexpectedEOF): // its end may only be that of what it sends
		return hearth.Errorf(hearth.CodeCancelled, "the caller went away")
	}
	return hearth.Errorf(hearth.CodeInvalid, "the body ended before its announced length: %w", err).
		WithHint("send as many bytes as Content-Length says, or use chunks")
}

var errStopping = hearth.Errorf(hearth.CodeUnavailable, "the server is stopping, or not started yet").WithHint("try again in a moment")

// invoke makes a call and sends its reply, or says why there is none.
func (a *API) invoke(w http.ResponseWriter, r *http.Request, c engine.Call, id identity) {
	if !a.o.Ready() {
		a.fail(w, r, errStopping)
		return
	}
	c.ID = ulid.Make().String()
	a.trace(r, &c)
	reply, err := a.o.Engine.Invoke(r.Context(), c)
	if err != nil {
		a.failCall(w, r, c, id, err)
		return
	}
	defer reply.Body.Close()
	setReplyHeaders(w, r, reply)
	w.Header().Set(rest.HeaderVersion, strconv.Itoa(reply.Version))
	w.Header().Set(rest.HeaderStart, string(reply.Start))
	if c.Trigger != hearth.TriggerHTTP {
		// A browser that shows a reply must not take it for a page of ours.
		w.Header().Set("X-Content-Type-Options", "nosniff")
		if w.Header().Get("Content-Type") == "" {
			w.Header().Set("Content-Type", "application/json")
		}
	}
	status := reply.Status
	if status == 0 {
		status = http.StatusOK
	}
	if err := send(w, r, status, reply); err != nil {
		a.log.DebugContext(r.Context(), "reply broken off", "invocation", c.ID, "err", err)
		panic(http.ErrAbortHandler) // the status is out: only a broken connection can tell
	}
}

// send writes a reply. A stream is flushed piece by piece.
func send(w http.ResponseWriter, r *http.Request, status int, reply *engine.Reply) error {
	bodyless := status == http.StatusNoContent || status == http.StatusNotModified || status < 200
	if reply.Length >= 0 && !bodyless {
		w.Header().Set("Content-Length", strconv.FormatInt(reply.Length, 10))
	}
	if _, ok := w.Header()["Content-Type"]; !ok {
		w.Header()["Content-Type"] = nil // net/http would guess one, and guess HTML
	}
	w.WriteHeader(status)
	if bodyless || r.Method == http.MethodHead {
		_, err := io.Copy(io.Discard, reply.Body)
		return err
	}
	return pump(w, reply.Body, reply.Length < 0)
}

func pump(w http.ResponseWriter, body io.Reader, flush bool) error {
	rc := http.NewResponseController(w)
	if flush {
		if err := rc.Flush(); err != nil {
			return err
		}
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := body.Read(buf)
		if n > 0 {
			_ = rc.SetWriteDeadline(time.Now().Add(writeIdle))
			if _, err := w.Write(buf[:n]); err != nil {
				return err
			}
			if flush {
				if err := rc.Flush(); err != nil {
					return err
				}
			}
		}
		if err == io.EOF {
			_ = rc.SetWriteDeadline(time.Time{})
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// failCall answers for a call without a reply. Strangers learn the code and the
// id of the invocation; people with a key also what the function said.
func (a *API) failCall(w http.ResponseWriter, r *http.Request, c engine.Call, id identity, err error) {
	p := a.toProblem(r.Context(), err)
	if id.user.ID == "" {
		p.Problem = p.Public()
	}
	p.Invocation = c.ID
	w.Header().Set(rest.HeaderInvocation, c.ID)
	w.Header().Set("X-Content-Type-Options", "nosniff")
	writeProblem(w, p)
}
