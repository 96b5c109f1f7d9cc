package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/engine"
)

func (a *API) captureOps() []operation {
	const tag = "invocations"
	return []operation{
		// They hold what strangers sent: more than who only looks need see.
		call(a, op("get-capture", "GET", "/invocations/{id}/capture", tag, "Get what a call was asked and answered", hearth.RoleDeveloper).
			doc(func(o *huma.Operation) {
				o.Description = "The first 8 KiB of the event and of the reply, without what looks like a secret; `redacted` tells what was taken out. " +
					"Which calls are captured is the function's `capture`: those that failed (`errors`), now and then one that didn't as well (`sampled`), or none (`off`)."
			}), a.getCapture),
		op("replay-invocation", "POST", "/invocations/{id}/replay", tag, "Call a function once more with a captured event", hearth.RoleDeveloper).
			doc(func(o *huma.Operation) {
				o.Description = "The reply is that of the new call, raw, as of the invoke operation or of a route; its headers also hold " +
					rest.HeaderReplayOf + ". An event of which something was cut off or taken out is refused with `conflict`, unless `force` is true: " +
					"then the function gets `[redacted]` where the secrets were."
				o.Parameters = []*huma.Param{
					queryParam("version", "integer", "the active one if not given"), queryParam("force", "boolean", "also if the event isn't whole"),
				}
				o.Responses = map[string]*huma.Response{"200": {Description: "The handler's reply", Content: map[string]*huma.MediaType{"*/*": {Schema: &huma.Schema{}}}}}
			}).stream(a.replay),
	}
}

func (a *API) getCapture(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*body[hearth.Capture], error) {
	c, err := a.capture(ctx, in.ID)
	return &body[hearth.Capture]{c}, err
}

// capture finds a capture, or says what is missing: it, or the invocation.
func (a *API) capture(ctx context.Context, id string) (hearth.Capture, error) {
	c, err := a.o.Store.Capture(ctx, id)
	if hearth.ErrorCode(err) != hearth.CodeNotFound {
		return c, err
	}
	if err := a.settle(ctx); err != nil {
		return c, err
	}
	if c, err = a.o.Store.Capture(ctx, id); hearth.ErrorCode(err) != hearth.CodeNotFound {
		return c, err
	}
	if _, missing := a.o.Store.Invocation(ctx, id); missing != nil {
		return c, missing
	}
	return c, err
}

func (a *API) replay(w http.ResponseWriter, r *http.Request) {
	version, err := versionParam(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	c, err := a.capture(r.Context(), r.PathValue("id"))
	if err != nil {
		a.fail(w, r, err)
		return
	}
	e, err := eventOf(c, r.URL.Query().Get("force") == "true")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if _, ok := a.functions.get(c.Function); !ok {
		a.fail(w, r, noFunction(c.Function))
		return
	}
	id := caller(r.Context())
	w.Header().Set(rest.HeaderReplayOf, c.Invocation)
	a.invoke(w, r, engine.Call{
		Function: c.Function, Version: version, Trigger: hearth.TriggerReplay, Caller: id.user.Name,
		Event: e, ReplayOf: c.Invocation,
	}, id)
}

// eventOf makes the event of a capture. One that isn't whole must be wanted so.
func eventOf(c hearth.Capture, force bool) (hearth.Event, error) {
	e := hearth.Event{HTTP: c.Request.HTTP, Body: []byte(c.Request.Body)}
	if c.Request.Base64 {
		b, err := base64.StdEncoding.DecodeString(c.Request.Body)
		if err != nil {
			return e, hearth.Errorf(hearth.CodePlatform, "the capture of %s can't be read: %w", c.Invocation, err)
		}
		e.Body = b
	}
	lacks := c.Lacks()
	switch {
	case len(lacks) > 0 && !force:
		return e, hearth.Errorf(hearth.CodeConflict, "the event of %s isn't whole any more: %s", c.Invocation, strings.Join(lacks, ", ")).
			WithHint("call it all the same with ?force=true (hearth replay --force), or call it with an event of your own")
	case e.HTTP == nil && len(e.Body) > 0 && !json.Valid(e.Body):
		return e, hearth.Errorf(hearth.CodeConflict, "the event of %s was cut off after %d of %d bytes, and the rest isn't JSON any more", c.Invocation, len(e.Body), c.Request.Bytes).
			WithHint("call the function with an event of your own")
	}
	return e, nil
}
