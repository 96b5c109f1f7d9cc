package rest

import (
	"net/http"
	"slices"

	"hearth"
)

// StatusClientClosed is the status of a request whose client went away. Nobody
// reads it, but logs do; the number is nginx's.
const StatusClientClosed = 499

// statuses is the one mapping between codes and statuses. The first code of a
// status is the one that CodeOf returns.
var statuses = []struct {
	code   hearth.Code
	status int
	title  string
}{
	{hearth.CodeInvalid, http.StatusBadRequest, "Invalid request"},
	{hearth.CodeInvalid, http.StatusUnprocessableEntity, "Invalid request"},
	{hearth.CodeUnauthenticated, http.StatusUnauthorized, "Not signed in"},
	{hearth.CodeForbidden, http.StatusForbidden, "Not allowed"},
	{hearth.CodeNotFound, http.StatusNotFound, "Not found"},
	{hearth.CodeMethod, http.StatusMethodNotAllowed, "Method not allowed"},
	{hearth.CodeConflict, http.StatusConflict, "Conflict"},
	{hearth.CodeStale, http.StatusPreconditionFailed, "Changed in between"},
	{hearth.CodeTooLarge, http.StatusRequestEntityTooLarge, "Too large"},
	{hearth.CodeThrottled, http.StatusTooManyRequests, "Throttled"},
	{hearth.CodeCancelled, StatusClientClosed, "Cancelled"},
	{hearth.CodeUnsupported, http.StatusUnprocessableEntity, "Not supported on this host"},
	{hearth.CodeFunctionError, http.StatusBadGateway, "The function failed"},
	{hearth.CodeFunctionTimeout, http.StatusGatewayTimeout, "The function timed out"},
	{hearth.CodeFunctionOOM, http.StatusBadGateway, "The function ran out of memory"},
	{hearth.CodeFunctionCrashed, http.StatusBadGateway, "The function crashed"},
	{hearth.CodeFunctionReply, http.StatusBadGateway, "The function's reply can't be sent"},
	{hearth.CodePlatform, http.StatusInternalServerError, "Internal error"},
	{hearth.CodeUnavailable, http.StatusServiceUnavailable, "Unavailable"},
}

// Codes lists the codes that a problem document may carry, callers' faults first.
func Codes() []hearth.Code {
	var cs []hearth.Code
	for _, s := range statuses {
		if !slices.Contains(cs, s.code) {
			cs = append(cs, s.code)
		}
	}
	return cs
}

// StatusOf returns the HTTP status of an error. A malformed request (no Field)
// is 400; a field that is out of range is 422.
func StatusOf(e *hearth.Error) int {
	if e.Code == hearth.CodeInvalid && e.Field != "" {
		return http.StatusUnprocessableEntity
	}
	for _, s := range statuses {
		if s.code == e.Code {
			return s.status
		}
	}
	return http.StatusInternalServerError
}

// CodeOf returns the code of a status that came without a problem document.
func CodeOf(status int) hearth.Code {
	for _, s := range statuses {
		if s.status == status {
			return s.code
		}
	}
	switch {
	case status == http.StatusRequestTimeout:
		return hearth.CodeInvalid
	case status >= 500:
		return hearth.CodePlatform
	}
	return hearth.CodeInvalid
}

// NewProblem returns the document that tells of e. Type and Trace of the
// function's exception are in it; see [Problem.Public].
func NewProblem(e *hearth.Error) *Problem {
	p := &Problem{
		Type: "about:blank", Title: "Internal error", Status: StatusOf(e), Code: e.Code,
		Detail: e.Message, Hint: e.Hint, Field: e.Field, ErrorType: e.Type, Trace: e.Trace,
		RetryAfter: e.RetryAfter,
	}
	for _, s := range statuses {
		if s.code == e.Code {
			p.Title = s.title
			break
		}
	}
	return p
}

// Public returns a copy without what tells a stranger how a function works
// inside. An exception's message and stack hold file names, queries, and now
// and then a secret; people with a key find both in the invocation's record.
func (p *Problem) Public() *Problem {
	c := *p
	if c.Code.Fault() != hearth.FaultCaller {
		c.Detail, c.Hint = c.Title, ""
	}
	c.ErrorType, c.Trace = "", ""
	return &c
}

// Err returns the error that p tells of.
func (p *Problem) Err() *hearth.Error {
	return &hearth.Error{
		Code: p.Code, Message: p.Detail, Hint: p.Hint, Field: p.Field, Type: p.ErrorType, Trace: p.Trace,
		RetryAfter: p.RetryAfter,
	}
}

// Error returns the detail.
func (p *Problem) Error() string { return p.Detail }

// GetStatus returns the HTTP status.
func (p *Problem) GetStatus() int { return p.Status }
