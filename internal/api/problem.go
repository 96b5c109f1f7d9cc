package api

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hearth"
	"hearth/client/rest"
)

// problem is a rest.Problem with the headers that its status asks for.
type problem struct {
	*rest.Problem
}

// GetHeaders returns the headers that belong to the status.
func (p problem) GetHeaders() http.Header {
	h := http.Header{}
	switch p.Status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", `Bearer realm="hearth"`)
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		secs := int(math.Ceil(p.RetryAfter.Std().Seconds()))
		h.Set("Retry-After", strconv.Itoa(max(1, secs)))
	}
	return h
}

// toProblem turns err into what the caller sees, and tells the log what is the
// operator's to mend.
func (a *API) toProblem(ctx context.Context, err error) problem {
	e := hearth.AsError(err)
	if ctx.Err() != nil && (errors.Is(err, context.Canceled) || e.Code == hearth.CodePlatform) {
		e = hearth.Errorf(hearth.CodeCancelled, "the caller went away")
	}
	if e.Code == hearth.CodePlatform {
		a.log.ErrorContext(ctx, "request failed", "err", err)
	}
	return problem{rest.NewProblem(e)}
}

// fail answers with err.
func (a *API) fail(w http.ResponseWriter, r *http.Request, err error) {
	writeProblem(w, a.toProblem(r.Context(), err))
}

func writeProblem(w http.ResponseWriter, p problem) {
	h := w.Header()
	for k, v := range p.GetHeaders() {
		h[k] = v
	}
	h.Del("Content-Length")
	h.Set("Content-Type", p.ContentType(""))
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(p.Status)
	_ = json.NewEncoder(w).Encode(p.Problem)
}

// validationProblem turns the errors that huma makes itself into ours.
func validationProblem(_ huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		if p, ok := v.(problem); ok {
			return p.Problem, nil
		}
		return v, nil
	}
	e := &hearth.Error{Code: rest.CodeOf(m.Status), Message: m.Detail}
	if len(m.Errors) > 0 {
		e.Field, e.Message = validationError(m.Errors[0])
		if len(m.Errors) > 1 {
			_, next := validationError(m.Errors[1])
			e.Hint = "more is wrong: " + next
		}
	}
	p := rest.NewProblem(e)
	p.Status = m.Status
	return p, nil
}

// validationError names the field in the caller's spelling: "limit", and not
// "query.limit".
func validationError(d *huma.ErrorDetail) (field, message string) {
	_, field, _ = strings.Cut(d.Location, ".")
	if missing, ok := strings.CutPrefix(d.Message, "expected required property "); ok {
		name, _, _ := strings.Cut(missing, " ")
		return strings.TrimPrefix(field+"."+name, "."), name + " is missing"
	}
	if field == "" {
		return "", d.Message
	}
	return field, field + ": " + d.Message
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}
