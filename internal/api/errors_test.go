package api_test

import (
	"slices"
	"testing"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

func TestErrorsAreGrouped(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	call := func(event string) string {
		return e.Do("POST", "/fn/a/", event, servertest.Auth(e.Key)).Header.Get(rest.HeaderInvocation)
	}
	call(`{"echo":1}`)
	first := call(`{"fail":"ValueError: order 17 not found"}`)
	e.Deploy("a", rest.DeployConfig{})
	second := call(`{"fail":"ValueError: order 18 not found"}`)
	fresh := call(`{"fail":"KeyError: 'name'"}`)
	exit := call(`{"exit":3}`)

	l, err := e.Admin.Errors(t.Context(), client.ErrorsQuery{Function: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Items) != 3 || l.To.Sub(l.From) != 24*time.Hour {
		t.Fatalf("got %+v", l)
	}
	byType := map[string]rest.ErrorGroup{}
	for _, g := range l.Items {
		byType[g.Type] = g
	}
	g := byType["ValueError"]
	if g.Count != 2 || g.Message != "order 18 not found" || g.FirstVersion != 1 || g.LastVersion != 2 || g.NewIn != 0 ||
		!slices.Equal(g.Samples, []string{second, first}) || len(g.Sparkline) != 24 || g.Sparkline[23] != 2 || g.Outcome != hearth.OutcomeError {
		t.Errorf("got %+v", g)
	}
	if g := byType["KeyError"]; g.NewIn != 2 || g.FirstVersion != 2 || !slices.Equal(g.Samples, []string{fresh}) {
		t.Errorf("got %+v", g)
	}
	if g := byType[""]; g.Outcome != hearth.OutcomeCrashed || !slices.Equal(g.Samples, []string{exit}) {
		t.Errorf("got %+v", g)
	}
	is, err := e.Admin.Invocations(t.Context(), client.InvocationsQuery{Fingerprint: g.Fingerprint}, client.Page{})
	if err != nil || len(is.Items) != 2 || is.Items[0].ID != second || is.Items[0].Fingerprint != g.Fingerprint {
		t.Errorf("invocations of the group: %+v, %v", is, err)
	}
	if l, err := e.Admin.Errors(t.Context(), client.ErrorsQuery{Function: "b"}); err != nil || len(l.Items) != 0 {
		t.Errorf("another function: %+v, %v", l, err)
	}
	past := client.ErrorsQuery{From: time.Now().Add(-2 * time.Hour), To: time.Now().Add(-time.Hour)}
	if l, err := e.Admin.Errors(t.Context(), past); err != nil || len(l.Items) != 0 {
		t.Errorf("an hour ago: %+v, %v", l, err)
	}
	past.From, past.To = past.To, past.From
	if _, err := e.Admin.Errors(t.Context(), past); servertest.MustError(t, err).Field != "from" {
		t.Errorf("backwards: %v", err)
	}
	if err := e.Admin.DeleteFunction(t.Context(), "a", 0); err != nil {
		t.Fatal(err)
	}
	if l, err := e.Admin.Errors(t.Context(), client.ErrorsQuery{}); err != nil || len(l.Items) != 0 {
		t.Errorf("after it is deleted: %+v, %v", l, err)
	}
}
