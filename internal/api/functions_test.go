package api_test

import (
	"fmt"
	"testing"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

func TestListsCanBeReadPageByPage(t *testing.T) {
	e := servertest.Start(t)
	for i := range 5 {
		e.Deploy(fmt.Sprintf("f%d", i), rest.DeployConfig{})
	}
	pages := 0
	all, err := client.Collect(func(p client.Page) (rest.List[rest.FunctionInfo], error) {
		pages++
		p.Limit = 2
		return e.Admin.Functions(t.Context(), "f", p)
	})
	if err != nil || len(all) != 5 || pages != 3 || all[4].Name != "f4" {
		t.Errorf("got %d in %d pages, %v", len(all), pages, err)
	}
	for _, q := range []string{"limit=0", "limit=1001", "limit=x", "cursor=nonsense"} {
		if p := mustProblem(t, e.Do("GET", "/api/v1/functions?"+q, "", servertest.Auth(e.Key))); p.Code != hearth.CodeInvalid {
			t.Errorf("%s: %+v", q, p)
		}
	}
}

func TestAStaleUpdateIsRefused(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	f, err := e.Admin.Function(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	now, err := e.Admin.UpdateFunction(t.Context(), "hello", rest.FunctionUpdate{Public: ptr(true)}, f.Revision)
	if err != nil || !now.Public || now.Revision <= f.Revision {
		t.Fatalf("got %+v, %v", now, err)
	}
	for name, err := range map[string]error{
		"update": second(e.Admin.UpdateFunction(t.Context(), "hello", rest.FunctionUpdate{Public: ptr(false)}, f.Revision)),
		"delete": e.Admin.DeleteFunction(t.Context(), "hello", f.Revision),
	} {
		if he := servertest.MustError(t, err); he.Code != hearth.CodeStale {
			t.Errorf("%s: %+v", name, he)
		}
	}
	a := e.Do("GET", "/api/v1/functions/hello", "", servertest.Auth(e.Key))
	configure := func(etag string) servertest.Answer {
		return e.Do("PATCH", "/api/v1/functions/hello/config", `{"min_warm":1}`, servertest.Auth(e.Key), "If-Match: "+etag)
	}
	if p := mustProblem(t, configure(fmt.Sprintf("%q", fmt.Sprint(f.Revision)))); p.Status != 412 || p.Code != hearth.CodeStale {
		t.Errorf("configure: %+v", p)
	}
	if p := configure(a.Header.Get("ETag")); p.StatusCode != 201 {
		t.Errorf("configure with the ETag as it was read: %s %s", p.Status, p.Text)
	}
	a = e.Do("GET", "/api/v1/functions/hello", "", servertest.Auth(e.Key))
	if a := e.Do("DELETE", "/api/v1/functions/hello", "", servertest.Auth(e.Key), "If-Match: "+a.Header.Get("ETag")); a.StatusCode != 204 {
		t.Errorf("with the ETag as it was read: %s %s", a.Status, a.Text)
	}
}

func second[T any](_ T, err error) error { return err }

func TestADeletedFunctionIsGone(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{Routes: routes(t, "/hello"), Public: ptr(true)})
	if err := e.Admin.DeleteFunction(t.Context(), "hello", 0); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/hello", "/fn/hello/"} {
		if a := e.Do("GET", path, ""); a.StatusCode != 404 {
			t.Errorf("%s: %s", path, a.Status)
		}
	}
	if err := e.Admin.DeleteFunction(t.Context(), "hello", 0); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("got %v", err)
	}
	e.Deploy("heir", rest.DeployConfig{Routes: routes(t, "/hello")})
}

func TestRollbackGoesBackAndForth(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{Env: map[string]string{"V": "one"}})
	e.Deploy("hello", rest.DeployConfig{Env: map[string]string{"V": "two"}})
	serves := func() string { return e.Do("POST", "/fn/hello/", `{"env":"V"}`, servertest.Auth(e.Key)).Text }
	for _, step := range []struct {
		to, active int
		text       string
	}{{0, 1, `"one"`}, {2, 2, `"two"`}, {1, 1, `"one"`}} {
		f, err := e.Admin.Rollback(t.Context(), "hello", rest.Rollback{Version: step.to})
		if err != nil || f.Active != step.active || f.Version.Number != step.active {
			t.Fatalf("to %d: %+v, %v", step.to, f, err)
		}
		if got := serves(); got != step.text {
			t.Errorf("to %d: it says %s", step.to, got)
		}
	}
	if _, err := e.Admin.Rollback(t.Context(), "hello", rest.Rollback{}); hearth.ErrorCode(err) != hearth.CodeConflict {
		t.Errorf("before the first: %v", err)
	}
	if _, err := e.Admin.Rollback(t.Context(), "hello", rest.Rollback{Version: 9}); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("to a version that isn't: %v", err)
	}
}

func TestOneVersionCanBeCalled(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	e.Deploy("hello", rest.DeployConfig{})
	r, err := e.Admin.Invoke(t.Context(), client.InvokeRequest{Name: "hello", Version: 1})
	if err != nil || r.Version != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	r.Body.Close()
	for v, want := range map[string]int{"9": 404, "x": 422, "-1": 422} {
		if a := e.Do("POST", "/api/v1/functions/hello/invoke?version="+v, "", servertest.Auth(e.Key)); a.StatusCode != want {
			t.Errorf("version %s: %s", v, a.Status)
		}
	}
}

func TestViewersDoNotSeeTheEnvironment(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{Env: map[string]string{"TOKEN": "sesame"}})
	viewer, _ := e.User("v", hearth.RoleViewer)
	f, err := viewer.Function(t.Context(), "hello")
	if err != nil {
		t.Fatal(err)
	}
	v, err := viewer.Version(t.Context(), "hello", 1)
	if err != nil {
		t.Fatal(err)
	}
	vs, err := viewer.Versions(t.Context(), "hello", client.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for _, env := range []map[string]string{f.Version.Config.Env, v.Config.Env, vs.Items[0].Config.Env} {
		if got, there := env["TOKEN"]; !there || got == "sesame" {
			t.Errorf("got %v", env)
		}
	}
	if v, err := e.Admin.Version(t.Context(), "hello", 1); err != nil || v.Config.Env["TOKEN"] != "sesame" {
		t.Errorf("the admin sees %v, %v", v.Config.Env, err)
	}
}

func TestViewersSeeWhichValuesOfTheEnvironmentChange(t *testing.T) {
	e := servertest.Start(t)
	viewer, _ := e.User("v", hearth.RoleViewer)
	look := func() map[string]string {
		f, err := viewer.Function(t.Context(), "hello")
		if err != nil {
			t.Fatal(err)
		}
		return f.Version.Config.Env
	}
	e.Deploy("hello", rest.DeployConfig{Env: map[string]string{"A": "same", "B": "same", "C": "old"}})
	was := look()
	e.Deploy("hello", rest.DeployConfig{Env: map[string]string{"A": "same", "B": "same", "C": "new"}})
	is := look()
	if was["A"] != is["A"] || was["C"] == is["C"] || is["A"] == is["B"] {
		t.Errorf("first %v, then %v", was, is)
	}
}

func TestWrongMethodsNameTheRightOnes(t *testing.T) {
	e := servertest.Start(t)
	for path, allow := range map[string]string{
		"/api/v1/functions": "GET", "/api/v1/functions/x": "GET, PATCH, DELETE", "/api/v1/functions/x/invoke": "POST",
		"/healthz": "GET, HEAD", "/ui/": "GET, HEAD", "/auth/sign-out": "POST",
	} {
		a := e.Do("PUT", path, "", servertest.Auth(e.Key))
		if p := mustProblem(t, a); p.Status != 405 || p.Code != hearth.CodeMethod || a.Header.Get("Allow") != allow {
			t.Errorf("%s: %+v, Allow: %s", path, p, a.Header.Get("Allow"))
		}
	}
}

func TestBadJSONIsOurProblemDocument(t *testing.T) {
	e := servertest.Start(t)
	for body, status := range map[string]int{"{": 400, `{"name":1,"role":"admin"}`: 422, `{}`: 422, `{"name":"x","role":"king"}`: 422, `{"name":"x y","role":"viewer"}`: 422} {
		a := e.Do("POST", "/api/v1/users", body, servertest.Auth(e.Key), "Content-Type: application/json")
		if p := mustProblem(t, a); p.Status != status || p.Code != hearth.CodeInvalid || (status == 422 && p.Field == "") {
			t.Errorf("%s: %+v", body, p)
		}
	}
}
