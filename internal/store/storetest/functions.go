package storetest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hearth"
	"hearth/internal/store"
)

func testFirstVersion(t *testing.T, s store.Store) {
	f := Function("hello", "/hello", "POST /hi/*")
	f.Public = true
	f.CORS = &hearth.CORS{Origins: []string{"*"}, MaxAge: hearth.Duration(time.Minute)}
	v := MustAdd(t, s, f)
	if v.Number != 1 || v.Function != "hello" || v.CreatedAt.IsZero() {
		t.Errorf("added %+v", v)
	}
	got := must[hearth.Function](t)(s.Function(t.Context(), "hello"))
	want := f
	want.Revision, want.CreatedAt, want.UpdatedAt = 1, v.CreatedAt, v.CreatedAt
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("function (-want +got):\n%s", d)
	}
}

func testNumbers(t *testing.T, s store.Store) {
	for want := 1; want <= 3; want++ {
		if v := MustAdd(t, s, Function("hello")); v.Number != want {
			t.Fatalf("number is %d, want %d", v.Number, want)
		}
	}
	if err := s.DropVersion(t.Context(), "hello", 3); err != nil {
		t.Fatal(err)
	}
	if v := MustAdd(t, s, Function("hello")); v.Number != 4 {
		t.Errorf("number after a drop is %d, want 4: logs of version 3 may still be there", v.Number)
	}
	if v := MustAdd(t, s, Function("other")); v.Number != 1 {
		t.Errorf("another function begins at %d", v.Number)
	}
}

func testVersionRoundTrip(t *testing.T, s store.Store) {
	want := MustAdd(t, s, Function("hello"))
	got := must[hearth.Version](t)(s.Version(t.Context(), "hello", 1))
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("version (-added +read):\n%s", d)
	}
	if got.CreatedAt.Location() != time.UTC {
		t.Errorf("time is in %v", got.CreatedAt.Location())
	}
}

func testAddKeepsFunction(t *testing.T, s store.Store) {
	MustDeploy(t, s, Function("hello", "/hello"))
	before := must[hearth.Function](t)(s.Function(t.Context(), "hello"))
	f := Function("hello", "/elsewhere")
	f.Public = true
	MustAdd(t, s, f)
	after := must[hearth.Function](t)(s.Function(t.Context(), "hello"))
	if d := cmp.Diff(before, after); d != "" {
		t.Errorf("function changed:\n%s", d)
	}
	// The route was not taken either.
	MustAdd(t, s, Function("other", "/elsewhere"))
}

func testActivate(t *testing.T, s store.Store) {
	MustAdd(t, s, Function("hello", "/old"))
	v2 := MustAdd(t, s, Function("hello"))
	public, routes := true, []hearth.Route{{Path: "/new"}, {Method: "GET", Path: "/a"}}
	cors := &hearth.CORS{Origins: []string{"https://a.example"}}
	f := must[hearth.Function](t)(s.Activate(t.Context(), Activation("hello", v2.Number),
		store.FunctionUpdate{Public: &public, Routes: &routes, CORS: &cors}, 1))
	if f.Active != 2 || !f.Public || f.Revision != 2 {
		t.Errorf("activated %+v", f)
	}
	if d := cmp.Diff(f, must[hearth.Function](t)(s.Function(t.Context(), "hello"))); d != "" {
		t.Errorf("function (-returned +read):\n%s", d)
	}
	if d := cmp.Diff(routes, f.Routes); d != "" {
		t.Errorf("routes: %s", d)
	}
	MustAdd(t, s, Function("other", "/old")) // it was let go

	none := (*hearth.CORS)(nil)
	f = must[hearth.Function](t)(s.UpdateFunction(t.Context(), "hello", store.FunctionUpdate{CORS: &none}, 0))
	if f.CORS != nil || !f.Public || len(f.Routes) != 2 || f.Active != 2 {
		t.Errorf("update of CORS alone left %+v", f)
	}
}

func testStale(t *testing.T, s store.Store) {
	MustDeploy(t, s, Function("hello")) // revision 2
	public := true
	u := store.FunctionUpdate{Public: &public}
	_, err := s.UpdateFunction(t.Context(), "hello", u, 1)
	wantCode(t, err, hearth.CodeStale)
	_, err = s.Activate(t.Context(), Activation("hello", 1), u, 3)
	wantCode(t, err, hearth.CodeStale)
	wantCode(t, s.DeleteFunction(t.Context(), "hello", "ada", 1), hearth.CodeStale)
	f := must[hearth.Function](t)(s.Function(t.Context(), "hello"))
	if f.Public || f.Revision != 2 {
		t.Errorf("a refused change left %+v", f)
	}
	must[hearth.Function](t)(s.UpdateFunction(t.Context(), "hello", u, 2))
}

func testConcurrentUpdates(t *testing.T, s store.Store) {
	MustDeploy(t, s, Function("hello"))
	f := must[hearth.Function](t)(s.Function(t.Context(), "hello"))
	errs := atOnce(8, func(i int) error {
		routes := []hearth.Route{{Path: fmt.Sprintf("/r%d", i)}}
		_, err := s.UpdateFunction(t.Context(), "hello", store.FunctionUpdate{Routes: &routes}, f.Revision)
		return err
	})
	wantOneWinner(t, errs, hearth.CodeStale)
}

func testNotFound(t *testing.T, s store.Store) {
	ctx := t.Context()
	MustDeploy(t, s, Function("hello"))
	_, err := s.Function(ctx, "nobody")
	wantCode(t, err, hearth.CodeNotFound)
	_, err = s.Version(ctx, "hello", 2)
	wantCode(t, err, hearth.CodeNotFound)
	_, _, err = s.Versions(ctx, "nobody", store.Page{})
	wantCode(t, err, hearth.CodeNotFound)
	_, err = s.Activate(ctx, Activation("hello", 2), store.FunctionUpdate{}, 0)
	wantCode(t, err, hearth.CodeNotFound)
	_, err = s.UpdateFunction(ctx, "nobody", store.FunctionUpdate{}, 0)
	wantCode(t, err, hearth.CodeNotFound)
	wantCode(t, s.DeleteFunction(ctx, "nobody", "ada", 0), hearth.CodeNotFound)
	wantCode(t, s.DropVersion(ctx, "hello", 2), hearth.CodeNotFound)
	_, err = s.Invocation(ctx, "nothing")
	wantCode(t, err, hearth.CodeNotFound)
	_, err = s.User(ctx, "nobody")
	wantCode(t, err, hearth.CodeNotFound)
	_, err = s.UserByName(ctx, "nobody")
	wantCode(t, err, hearth.CodeNotFound)
	wantCode(t, s.SetRole(ctx, "nobody", hearth.RoleViewer), hearth.CodeNotFound)
	wantCode(t, s.DeleteUser(ctx, "nobody"), hearth.CodeNotFound)
	wantCode(t, s.DeleteKey(ctx, "nothing"), hearth.CodeNotFound)
	_, err = s.AddKey(ctx, hearth.Key{User: "nobody"}, [32]byte{1})
	wantCode(t, err, hearth.CodeNotFound)
	_, _, err = s.KeyByHash(ctx, [32]byte{})
	wantCode(t, err, hearth.CodeNotFound)
	if _, found, err := s.FindSession(ctx, "nothing"); found || err != nil {
		t.Errorf("a session that isn't there: %v, %v", found, err)
	}
	if err := s.DeleteSession(ctx, "nothing"); err != nil {
		t.Errorf("deleting a session that isn't there: %v", err)
	}
}

func testRouteOwner(t *testing.T, s store.Store) {
	MustDeploy(t, s, Function("shop", "/buy", "/sell"))
	MustDeploy(t, s, Function("rival"))
	_, err := s.AddVersion(t.Context(), Function("new", "/free", "/buy"), Version())
	msg := wantCode(t, err, hearth.CodeConflict)
	if !strings.Contains(msg, `"shop"`) || !strings.Contains(msg, "/buy") {
		t.Errorf("message %q names neither owner nor route", msg)
	}
	_, err = s.AddVersion(t.Context(), Function("rival", "/sell"), Version())
	wantCode(t, err, hearth.CodeConflict)
	routes := []hearth.Route{{Path: "/sell"}}
	_, err = s.UpdateFunction(t.Context(), "rival", store.FunctionUpdate{Routes: &routes}, 0)
	wantCode(t, err, hearth.CodeConflict)
	_, err = s.Activate(t.Context(), Activation("rival", 1), store.FunctionUpdate{Routes: &routes}, 0)
	wantCode(t, err, hearth.CodeConflict)
	// None of it left a trace.
	if _, err = s.Function(t.Context(), "new"); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("a refused deploy made a function: %v", err)
	}
	vs, _, err := s.Versions(t.Context(), "rival", store.Page{})
	if err != nil || len(vs) != 1 {
		t.Errorf("a refused deploy left versions %v, %v", vs, err)
	}
	MustAdd(t, s, Function("free", "/free"))
	// Its own routes may be said again, but not twice at once.
	MustAdd(t, s, Function("shop", "/buy"))
	_, err = s.AddVersion(t.Context(), Function("shop", "/x", "/x"), Version())
	wantCode(t, err, hearth.CodeInvalid)
}

func testRouteMethods(t *testing.T, s store.Store) {
	MustDeploy(t, s, Function("any", "/a"))
	MustDeploy(t, s, Function("get", "GET /a"))
	MustDeploy(t, s, Function("below", "/a/*"))
	_, err := s.AddVersion(t.Context(), Function("get2", "GET /a"), Version())
	if msg := wantCode(t, err, hearth.CodeConflict); !strings.Contains(msg, `"get"`) {
		t.Errorf("message %q names another owner", msg)
	}
	_, err = s.AddVersion(t.Context(), Function("any2", "/a"), Version())
	if msg := wantCode(t, err, hearth.CodeConflict); !strings.Contains(msg, `"any"`) {
		t.Errorf("message %q names another owner", msg)
	}
}

func testRouteCORS(t *testing.T, s store.Store) {
	first := Function("first", "/inherits", "POST /own", "/none")
	first.CORS = &hearth.CORS{Origins: []string{"https://a.example"}}
	first.Routes[1].CORS = &hearth.CORS{
		Origins: []string{"https://b.example", "https://c.example"}, Methods: []string{"POST"}, Headers: []string{"X-A"},
		Credentials: true, MaxAge: hearth.Duration(time.Minute),
	}
	first.Routes[2].CORS = &hearth.CORS{Origins: []string{}}
	MustDeploy(t, s, first)
	second := Function("second", "/second")
	second.Routes[0].CORS = &hearth.CORS{Origins: []string{"*"}}
	MustDeploy(t, s, second)
	fs, _, err := s.Functions(t.Context(), "", store.Page{})
	if err != nil || len(fs) != 2 {
		t.Fatalf("listed %v, %v", fs, err)
	}
	for i, want := range []hearth.Function{first, second} {
		if d := cmp.Diff(want.Routes, fs[i].Routes); d != "" {
			t.Errorf("listed routes of %s (-want +got):\n%s", want.Name, d)
		}
		if d := cmp.Diff(want.Routes, must[hearth.Function](t)(s.Function(t.Context(), want.Name)).Routes); d != "" {
			t.Errorf("routes of %s (-want +got):\n%s", want.Name, d)
		}
	}

	// An update replaces it, and a version without routes leaves it.
	routes := []hearth.Route{{Path: "/inherits", CORS: &hearth.CORS{Origins: []string{"*"}}}, {Method: "POST", Path: "/own"}}
	must[hearth.Function](t)(s.UpdateFunction(t.Context(), "first", store.FunctionUpdate{Routes: &routes}, 0))
	MustDeploy(t, s, Function("first"))
	f := must[hearth.Function](t)(s.Function(t.Context(), "first"))
	if d := cmp.Diff(routes, f.Routes); d != "" {
		t.Errorf("updated routes (-want +got):\n%s", d)
	}

	// It makes no other route of one.
	taken := []hearth.Route{{Path: "/second", CORS: &hearth.CORS{Origins: []string{"https://other.example"}}}}
	_, err = s.UpdateFunction(t.Context(), "first", store.FunctionUpdate{Routes: &taken}, 0)
	wantCode(t, err, hearth.CodeConflict)
	twice := append(taken, hearth.Route{Path: "/second"})
	_, err = s.UpdateFunction(t.Context(), "second", store.FunctionUpdate{Routes: &twice}, 0)
	wantCode(t, err, hearth.CodeInvalid)
}

func testConcurrentRoutes(t *testing.T, s store.Store) {
	errs := atOnce(8, func(i int) error {
		_, err := s.AddVersion(t.Context(), Function(fmt.Sprintf("f%d", i), "/same"), Version())
		return err
	})
	wantOneWinner(t, errs, hearth.CodeConflict)
}

func testDeleteFunction(t *testing.T, s store.Store) {
	MustDeploy(t, s, Function("hello", "/hello"))
	MustDeploy(t, s, Function("hello"))
	s.RecordInvocation(Invocation("hello", time.Now()))
	mustFlush(t, s)
	if err := s.DeleteFunction(t.Context(), "hello", "ada", 3); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Version(t.Context(), "hello", 1); hearth.ErrorCode(err) != hearth.CodeNotFound {
		t.Errorf("its versions are still there: %v", err)
	}
	if ds := must[map[string]bool](t)(s.CodeDigests(t.Context())); len(ds) != 0 {
		t.Errorf("its code is still in use: %v", ds)
	}
	is, _, err := s.Invocations(t.Context(), store.InvocationQuery{Function: "hello"}, store.Page{})
	if err != nil || len(is) != 1 {
		t.Errorf("its history is gone: %v, %v", is, err)
	}
	MustDeploy(t, s, Function("heir", "/hello"))
	MustDeploy(t, s, Function("hello"))
}

func testDropVersion(t *testing.T, s store.Store) {
	ctx := t.Context()
	MustAdd(t, s, Function("first", "/first"))
	if err := s.DropVersion(ctx, "first", 1); err != nil {
		t.Fatal(err)
	}
	_, err := s.Function(ctx, "first")
	wantCode(t, err, hearth.CodeNotFound)
	MustAdd(t, s, Function("second", "/first")) // its route is free again

	MustDeploy(t, s, Function("hello"))
	MustAdd(t, s, Function("hello"))
	if err := s.DropVersion(ctx, "hello", 2); err != nil {
		t.Fatal(err)
	}
	if f := must[hearth.Function](t)(s.Function(ctx, "hello")); f.Active != 1 {
		t.Errorf("active is %d", f.Active)
	}
	wantCode(t, s.DropVersion(ctx, "hello", 1), hearth.CodeConflict)
	MustDeploy(t, s, Function("hello"))
	wantCode(t, s.DropVersion(ctx, "hello", 1), hearth.CodeConflict) // it took traffic once
}

func testListFunctions(t *testing.T, s store.Store) {
	for _, n := range []string{"b", "a-2", "a", "c9", "a1"} {
		MustAdd(t, s, Function(n, "/"+n, "GET /x-"+n))
	}
	list := func(prefix string) func(p store.Page) ([]hearth.Function, string, error) {
		return func(p store.Page) ([]hearth.Function, string, error) { return s.Functions(t.Context(), prefix, p) }
	}
	for _, limit := range []int{1, 2, 5, 6} {
		got := all(t, limit, list(""))
		if names(got) != "[a a-2 a1 b c9]" {
			t.Errorf("in pages of %d: %s", limit, names(got))
		}
		for _, f := range got {
			if d := cmp.Diff(Function(f.Name, "/"+f.Name, "GET /x-"+f.Name).Routes, f.Routes); d != "" {
				t.Errorf("routes of %s: %s", f.Name, d)
			}
		}
	}
	if got := names(all(t, 2, list("a"))); got != "[a a-2 a1]" {
		t.Errorf("with prefix a: %s", got)
	}
	if got := names(all(t, 2, list("%"))); got != "[]" {
		t.Errorf("with prefix %%: %s", got)
	}
}

func testPagingUnderWrites(t *testing.T, s store.Store) {
	for i := range 20 {
		MustAdd(t, s, Function(fmt.Sprintf("f%02d", i)))
	}
	seen := map[string]int{}
	var cursor string
	for step := 0; ; step++ {
		fs, next, err := s.Functions(t.Context(), "f", store.Page{Limit: 3, Cursor: cursor})
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range fs {
			seen[f.Name]++
		}
		if next == "" {
			break
		}
		cursor = next
		// What was given out goes, the one the cursor stands on included, and
		// something new comes in front of it.
		if err := s.DeleteFunction(t.Context(), fs[len(fs)-1].Name, "ada", 0); err != nil {
			t.Fatal(err)
		}
		MustAdd(t, s, Function(fmt.Sprintf("f00-%d", step)))
	}
	for i := range 20 {
		if n := fmt.Sprintf("f%02d", i); seen[n] != 1 {
			t.Errorf("%s was listed %d times", n, seen[n])
		}
	}
}

func testListVersions(t *testing.T, s store.Store) {
	for range 5 {
		MustAdd(t, s, Function("hello"))
	}
	MustAdd(t, s, Function("other"))
	vs := all(t, 2, func(p store.Page) ([]hearth.Version, string, error) { return s.Versions(t.Context(), "hello", p) })
	var got []string
	for _, v := range vs {
		got = append(got, v.Ref())
	}
	if fmt.Sprint(got) != "[hello@5 hello@4 hello@3 hello@2 hello@1]" {
		t.Errorf("got %v", got)
	}
}

func testBadPages(t *testing.T, s store.Store) {
	MustAdd(t, s, Function("a"))
	MustAdd(t, s, Function("b"))
	_, next, err := s.Functions(t.Context(), "", store.Page{Limit: 1})
	if err != nil || next == "" {
		t.Fatalf("first page: %q, %v", next, err)
	}
	for name, p := range map[string]store.Page{
		"noise": {Cursor: "%%%"}, "another base64": {Cursor: "Zm9v"}, "empty base64": {Cursor: "AA"},
		"negative": {Limit: -1}, "too many": {Limit: 1001},
	} {
		if _, _, err := s.Functions(t.Context(), "", p); hearth.ErrorCode(err) != hearth.CodeInvalid {
			t.Errorf("%s: functions returned %v", name, err)
		}
		if _, _, err := s.Users(t.Context(), p); hearth.ErrorCode(err) != hearth.CodeInvalid {
			t.Errorf("%s: users returned %v", name, err)
		}
		if _, _, err := s.Keys(t.Context(), "", p); hearth.ErrorCode(err) != hearth.CodeInvalid {
			t.Errorf("%s: keys returned %v", name, err)
		}
		if _, _, err := s.Versions(t.Context(), "a", p); hearth.ErrorCode(err) != hearth.CodeInvalid {
			t.Errorf("%s: versions returned %v", name, err)
		}
		if _, _, err := s.Invocations(t.Context(), store.InvocationQuery{}, p); hearth.ErrorCode(err) != hearth.CodeInvalid {
			t.Errorf("%s: invocations returned %v", name, err)
		}
		if _, _, err := s.Logs(t.Context(), store.LogQuery{}, p); hearth.ErrorCode(err) != hearth.CodeInvalid {
			t.Errorf("%s: logs returned %v", name, err)
		}
	}
	// A cursor of one list is none of another.
	_, _, err = s.Users(t.Context(), store.Page{Cursor: next})
	wantCode(t, err, hearth.CodeInvalid)
	_, _, err = s.Logs(t.Context(), store.LogQuery{}, store.Page{Cursor: next})
	wantCode(t, err, hearth.CodeInvalid)
}

func testDigests(t *testing.T, s store.Store) {
	for _, d := range []string{"sha256:aa", "sha256:bb", "sha256:aa"} {
		v := Version()
		v.CodeDigest = d
		must[hearth.Version](t)(s.AddVersion(t.Context(), Function("hello"), v))
	}
	got := must[map[string]bool](t)(s.CodeDigests(t.Context()))
	if d := cmp.Diff(map[string]bool{"sha256:aa": true, "sha256:bb": true}, got); d != "" {
		t.Error(d)
	}
}

func testConcurrentDeploys(t *testing.T, s store.Store) {
	const n = 16
	numbers := make([]int, n)
	for _, err := range atOnce(n, func(i int) error {
		v, err := s.AddVersion(t.Context(), Function("hello"), Version())
		numbers[i] = v.Number
		return err
	}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	seen := map[int]bool{}
	for _, x := range numbers {
		if x < 1 || x > n || seen[x] {
			t.Fatalf("numbers are %v", numbers)
		}
		seen[x] = true
	}
}
