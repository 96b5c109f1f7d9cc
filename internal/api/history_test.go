package api_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

func TestTheHistoryTellsWhatServedWhen(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{Message: "First light"})
	if _, err := e.Admin.Reconfigure(t.Context(), "hello", map[string]any{"min_warm": 1, "message": "Keep one warm"}); err != nil {
		t.Fatal(err)
	}
	d, err := e.Admin.Reconfigure(t.Context(), "hello", map[string]any{"min_warm": 0})
	if err != nil || d.Version.Message != "" {
		t.Fatalf("a deploy without a message has that of another: %+v, %v", d.Version, err)
	}
	if _, err := e.Admin.Rollback(t.Context(), "hello", rest.Rollback{Version: 1, Message: "It burned"}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Admin.Deploy(t.Context(), client.DeployRequest{
		Name: "hello", Config: rest.DeployConfig{Env: map[string]string{"HEARTH_X": "1"}}, Code: strings.NewReader("#"), Filename: "main.py",
	}); err == nil {
		t.Fatal("a bad deploy worked")
	}
	if err := e.Admin.DeleteFunction(t.Context(), "hello", 0); err != nil {
		t.Fatal(err)
	}
	e.Deploy("other", rest.DeployConfig{})
	viewer, _ := e.User("vera", hearth.RoleViewer)
	ds, err := viewer.Deploys(t.Context(), client.DeployQuery{Function: "hello"}, client.Page{})
	if err != nil {
		t.Fatal(err)
	}
	var says []string
	for _, d := range ds.Items {
		if d.By != "admin" || d.At.IsZero() || d.ID == "" {
			t.Errorf("it says %+v", d)
		}
		says = append(says, fmt.Sprintf("%s %d from %d: %s", d.Kind, d.Version, d.FromVersion, d.Message))
	}
	want := []string{
		"deleted 0 from 1: ", "activated 1 from 3: It burned", "deployed 3 from 2: ", "deployed 2 from 1: Keep one warm", "deployed 1 from 0: First light",
	}
	if strings.Join(says, "\n") != strings.Join(want, "\n") {
		t.Errorf("it says\n%s\nwant\n%s", strings.Join(says, "\n"), strings.Join(want, "\n"))
	}
	all, err := client.Collect(func(p client.Page) (rest.List[hearth.Deploy], error) {
		p.Limit = 4
		return viewer.Deploys(t.Context(), client.DeployQuery{From: ds.Items[4].At, To: time.Now().Add(time.Minute)}, p)
	})
	if err != nil || len(all) != 6 || all[0].Function != "other" {
		t.Errorf("in all %+v, %v", all, err)
	}
}

func TestMessagesAreChecked(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	e.Deploy("hello", rest.DeployConfig{})
	long := strings.Repeat("a", 201)
	_, deploy := e.Admin.Deploy(t.Context(), client.DeployRequest{
		Name: "hello", Config: rest.DeployConfig{Message: long}, Code: strings.NewReader("#"), Filename: "main.py",
	})
	_, configure := e.Admin.Reconfigure(t.Context(), "hello", map[string]any{"message": "a\nb"})
	_, rollback := e.Admin.Rollback(t.Context(), "hello", rest.Rollback{Message: long})
	for name, err := range map[string]error{"deploy": deploy, "configure": configure, "rollback": rollback} {
		if err := servertest.MustError(t, err); err.Code != hearth.CodeInvalid || err.Field != "message" {
			t.Errorf("%s: %+v", name, err)
		}
	}
	if f, err := e.Admin.Function(t.Context(), "hello"); err != nil || f.Active != 2 {
		t.Errorf("serving is %+v, %v", f, err)
	}
}

func TestChartsAreToldOfDeploys(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	e.Deploy("a", rest.DeployConfig{})
	e.Deploy("b", rest.DeployConfig{})
	if _, err := e.Admin.Rollback(t.Context(), "a", rest.Rollback{}); err != nil {
		t.Fatal(err)
	}
	e.Deploy("gone", rest.DeployConfig{})
	if err := e.Admin.DeleteFunction(t.Context(), "gone", 0); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		q    client.MetricsQuery
		want string
	}{
		{client.MetricsQuery{}, "a@1 deployed, a@2 deployed, b@1 deployed, a@1 activated, gone@1 deployed"},
		{client.MetricsQuery{Functions: []string{"*"}}, "a@1 deployed, a@2 deployed, b@1 deployed, a@1 activated, gone@1 deployed"},
		{client.MetricsQuery{Functions: []string{"b", "a"}}, "a@1 deployed, a@2 deployed, b@1 deployed, a@1 activated"},
		{client.MetricsQuery{Functions: []string{"b"}}, "b@1 deployed"},
		{client.MetricsQuery{From: time.Now().Add(-2 * time.Hour), To: time.Now().Add(-time.Hour)}, ""},
	} {
		m, err := e.Admin.QueryMetrics(t.Context(), tt.q)
		if err != nil {
			t.Fatal(err)
		}
		var says []string
		for _, d := range m.Deploys {
			says = append(says, fmt.Sprintf("%s@%d %s", d.Function, d.Version, d.Kind))
			if d.At.IsZero() || d.By != "admin" {
				t.Errorf("it says %+v", d)
			}
		}
		if got := strings.Join(says, ", "); got != tt.want {
			t.Errorf("%v: %s, want %s", tt.q.Functions, got, tt.want)
		}
	}
}
