package rest

import (
	"testing"

	"hearth"
)

func TestCodesComeBackFromTheirStatus(t *testing.T) {
	shared := map[hearth.Code]bool{ // of a status that another code has too
		hearth.CodeUnsupported: true, hearth.CodeFunctionOOM: true, hearth.CodeFunctionCrashed: true, hearth.CodeFunctionReply: true,
	}
	for _, c := range Codes() {
		status := StatusOf(&hearth.Error{Code: c})
		if status < 400 {
			t.Errorf("%s has status %d", c, status)
		}
		back := CodeOf(status)
		if !shared[c] && back != c {
			t.Errorf("%s is %d, and that is %s", c, status, back)
		}
		if back.Fault() != c.Fault() {
			t.Errorf("%s is the %s's fault, but from its status the %s's", c, c.Fault(), back.Fault())
		}
	}
	for status, want := range map[int]hearth.Code{408: hearth.CodeInvalid, 418: hearth.CodeInvalid, 507: hearth.CodePlatform} {
		if got := CodeOf(status); got != want {
			t.Errorf("%d is %s", status, got)
		}
	}
}

func TestStrangersLearnNothingOfTheInside(t *testing.T) {
	e := &hearth.Error{Code: hearth.CodeFunctionError, Message: "password=x", Hint: "look at x", Type: "KeyError", Trace: "main.py"}
	p := NewProblem(e).Public()
	if p.Code != e.Code || p.Status != 502 || p.Detail != p.Title || p.Hint != "" || p.ErrorType != "" || p.Trace != "" {
		t.Errorf("got %+v", p)
	}
	own := NewProblem(&hearth.Error{Code: hearth.CodeTooLarge, Message: "too large", Hint: "send less"}).Public()
	if own.Detail != "too large" || own.Hint != "send less" {
		t.Errorf("a caller's own fault: %+v", own)
	}
	if back := NewProblem(e).Err(); back.Type != e.Type || back.Trace != e.Trace || back.Message != e.Message || back.Code != e.Code {
		t.Errorf("got %+v", back)
	}
}
