package api_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

func TestEventsAreKept(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	viewer, _ := e.User("vera", hearth.RoleViewer)
	dev, _ := e.User("dora", hearth.RoleDeveloper)
	want := hearth.TestEvent{
		Name: "50% of „all“ lamps?", Kind: hearth.TestEventHTTP, Method: "POST", Path: "/items?q=1",
		Headers: map[string]string{"content-type": "text/plain"}, Body: "lamp",
	}
	put, err := dev.PutTestEvent(t.Context(), "hello", want)
	if err != nil {
		t.Fatal(err)
	}
	want.Shared, want.UpdatedBy, want.UpdatedAt = true, "dora", put.UpdatedAt
	list, err := viewer.TestEvents(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]hearth.TestEvent{want}, list); d != "" {
		t.Errorf("kept (-want +got):\n%s", d)
	}
	if got, err := viewer.TestEvent(t.Context(), "hello", want.Name); err != nil || got.Body != "lamp" {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := viewer.PutTestEvent(t.Context(), "hello", want); hearth.ErrorCode(err) != hearth.CodeForbidden {
		t.Errorf("a viewer: %v", err)
	}
	if err := viewer.DeleteTestEvent(t.Context(), "hello", want.Name); hearth.ErrorCode(err) != hearth.CodeForbidden {
		t.Errorf("a viewer: %v", err)
	}
	if err := dev.DeleteTestEvent(t.Context(), "hello", want.Name); err != nil {
		t.Error(err)
	}
	if _, err := viewer.TestEvent(t.Context(), "hello", want.Name); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("after the delete: %v", err)
	}
}

func TestEventsAreCheckedBeforeTheyAreKept(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	const at = "/api/v1/functions/hello/test-events/"
	for _, tt := range []struct {
		name, body string
		status     int
		field      string
	}{
		{"a", `{"kind":"grpc"}`, 422, "kind"},
		{"a", `{}`, 422, "kind"},
		{"a", `{"kind":"json","body":"{"}`, 422, "body"},
		{"a", `{"kind":"http","method":"BREW"}`, 422, "method"},
		{"a", `{"kind":"http","path":"a"}`, 422, "path"},
		{"a", `{"kind":"json","name":"b"}`, 422, "name"},
		{"a", `{"kind":"json","shared":false}`, 422, "shared"},
		{"a", `{"kind":"json","colour":"red"}`, 422, "colour"},
		{"a", `{"kind":"http","body":"` + strings.Repeat("x", 300<<10) + `"}`, 413, "body"},
		{strings.Repeat("n", 64), `{"kind":"json"}`, 422, "name"},
		{"a%2Fb", `{"kind":"json"}`, 422, "name"},
	} {
		p := mustProblem(t, e.Do("PUT", at+tt.name, tt.body, servertest.Auth(e.Key), "Content-Type: application/json"))
		if p.Status != tt.status || p.Field != tt.field {
			t.Errorf("%.20s %.40s: %+v, want %d about %s", tt.name, tt.body, p, tt.status, tt.field)
		}
	}
	a := e.Do("PUT", at+"a", `{"kind":"http"}`, servertest.Auth(e.Key), "Content-Type: application/json", "If-None-Match: *")
	if a.StatusCode != 200 || !strings.Contains(a.Text, `"method":"GET","path":"/"`) {
		t.Fatalf("got %s %s", a.Status, a.Text)
	}
	tag := "If-Match: " + a.Header.Get("ETag")
	for _, step := range []struct {
		method, body, condition string
		status                  int
	}{
		{"PUT", `{"kind":"json"}`, "If-None-Match: *", 412},
		{"PUT", `{"kind":"json"}`, `If-None-Match: "1"`, 422},
		{"PUT", a.Text, tag, 200}, // as it was read
		{"PUT", `{"kind":"json"}`, tag, 412},
		{"DELETE", "", tag, 412},
		{"DELETE", "", `If-Match: "x"`, 412},
		{"DELETE", "", "If-Match: *", 204},
		{"DELETE", "", "If-Match: *", 404},
	} {
		if got := e.Do(step.method, at+"a", step.body, servertest.Auth(e.Key), "Content-Type: application/json", step.condition); got.StatusCode != step.status {
			t.Errorf("%s with %s: %s %s, want %d", step.method, step.condition, got.Status, got.Text, step.status)
		}
	}
}

func TestEventsGoWithTheirFunction(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	if _, err := e.Admin.PutTestEvent(t.Context(), "hello", hearth.TestEvent{Name: "a", Kind: hearth.TestEventJSON}); err != nil {
		t.Fatal(err)
	}
	if err := e.Admin.DeleteFunction(t.Context(), "hello", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Admin.TestEvents(t.Context(), "hello"); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("of a deleted function: %v", err)
	}
	e.Deploy("hello", rest.DeployConfig{})
	if es, err := e.Admin.TestEvents(t.Context(), "hello"); err != nil || len(es) > 0 {
		t.Errorf("the next of that name has %+v, %v", es, err)
	}
}
