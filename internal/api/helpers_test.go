package api_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

// roleOf returns the role that an operation of the document asks for.
func roleOf(t *testing.T, op any) (hearth.Role, bool) {
	t.Helper()
	o, ok := op.(*huma.Operation)
	if !ok || o == nil {
		return "", false
	}
	r, ok := o.Extensions["x-role"].(string)
	if !ok || !hearth.Role(r).Allows(hearth.RoleViewer) {
		t.Fatalf("%s names no role", o.OperationID)
	}
	return hearth.Role(r), true
}

// mustProblem checks that an answer is a problem document and returns it.
func mustProblem(t *testing.T, a servertest.Answer) rest.Problem {
	t.Helper()
	var p rest.Problem
	if a.Header.Get("Content-Type") != "application/problem+json" || json.Unmarshal([]byte(a.Text), &p) != nil {
		t.Fatalf("not a problem document: %s %q %s", a.Status, a.Header.Get("Content-Type"), a.Text)
	}
	if p.Status != a.StatusCode || p.Code == "" || p.Title == "" || p.Detail == "" {
		t.Errorf("%s with %+v", a.Status, p)
	}
	return p
}

func ptr[T any](v T) *T { return &v }

func routes(t *testing.T, specs ...string) *[]hearth.Route {
	t.Helper()
	var rs []hearth.Route
	for _, s := range specs {
		r, err := hearth.ParseRoute(s)
		if err != nil {
			t.Fatal(err)
		}
		rs = append(rs, r)
	}
	return &rs
}

func readAll(resp *http.Response) (string, error) {
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

// newScanner reads lines that may be long.
func newScanner(r io.Reader) *bufio.Scanner {
	sc := bufio.NewScanner(r)
	sc.Buffer(nil, 1<<20)
	return sc
}
