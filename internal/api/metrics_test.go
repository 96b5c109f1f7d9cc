package api_test

import (
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

// total adds up a list and counts its gaps.
func total(ns []*int64) (sum int64, gaps int) {
	for _, n := range ns {
		if n == nil {
			gaps++
			continue
		}
		sum += *n
	}
	return sum, gaps
}

func TestMetricsAreSeries(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	e.Deploy("b", rest.DeployConfig{})
	var sent int64
	for _, event := range []string{`{"cpu":"250ms","memory":1000000}`, "", `{"fail":"E: x"}`, `{"oom":true}`} {
		sent += int64(len(event))
		e.Do("POST", "/fn/a/", event, servertest.Auth(e.Key))
	}
	e.Do("POST", "/fn/b/", "", servertest.Auth(e.Key))
	m, err := e.Admin.QueryMetrics(t.Context(), client.MetricsQuery{Functions: []string{"b", "a"}, Fields: []string{
		"requests", "outcomes", "starts", "duration", "queue", "start", "cpu", "memory", "bytes", "sandboxes", "pools", "batch", "host",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Series) != 2 || m.Series[0].Function != "a" || m.Series[1].Function != "b" {
		t.Fatalf("series: %+v", m.Series)
	}
	if n := len(m.At); m.Step != "30s" || n < 120 || n > 122 || m.At[1]-m.At[0] != 30 || m.From.Unix() != m.At[0] || m.To.Unix() != m.At[n-1]+30 {
		t.Errorf("%d steps of %s from %s to %s", n, m.Step, m.From, m.To)
	}
	a := m.Series[0]
	for name, c := range map[string]struct {
		list []*int64
		want int64
	}{
		"requests": {a.Requests, 4}, "errors": {a.Errors, 2}, "ok": {a.Outcomes["ok"], 2}, "function_error": {a.Outcomes["function_error"], 1},
		"out_of_memory": {a.Outcomes["out_of_memory"], 1}, "bytes in": {a.BytesIn, sent},
	} {
		sum, gaps := total(c.list)
		if sum != c.want || len(c.list) != len(m.At) || gaps < 100 {
			t.Errorf("%s: %d in %d steps with %d gaps, want %d", name, sum, len(c.list), gaps, c.want)
		}
	}
	tot := a.Total
	if tot.Requests != 4 || tot.Errors != 2 || tot.ErrorRate != .5 || tot.P99 == nil || tot.Max == nil || *tot.P99 > *tot.Max || tot.CPU == nil || *tot.CPU < .25 {
		t.Errorf("total: %+v", tot)
	}
	if len(m.Deploys) != 2 {
		t.Errorf("deploys: %+v", m.Deploys)
	}
	if len(a.Outcomes) != 3 || a.Duration == nil || len(a.Duration.P95) != len(m.At) || len(a.Batch.Size) != len(m.At) || m.Host == nil || m.Host.Cores < 1 {
		t.Errorf("fields are missing: %+v", a)
	}

	whole, err := e.Admin.QueryMetrics(t.Context(), client.MetricsQuery{Outcomes: []hearth.Outcome{"ok", "out_of_memory"}, Step: time.Minute})
	if err != nil || len(whole.Series) != 1 || whole.Series[0].Function != "" {
		t.Fatalf("%+v, %v", whole, err)
	}
	if s := whole.Series[0]; s.Total.Requests != 4 || s.CPU != nil || s.Starts != nil || s.Queue != nil || s.Total.CPU != nil || len(s.Outcomes) != 2 {
		t.Errorf("by outcome: %+v", s)
	}
	every, err := e.Admin.QueryMetrics(t.Context(), client.MetricsQuery{Functions: []string{"*"}, Fields: []string{"requests"}})
	if err != nil || len(every.Series) != 2 || every.Series[0].Duration != nil || every.Series[0].Total.P50 != nil || every.Series[0].Outcomes != nil {
		t.Errorf("each: %+v, %v", every, err)
	}
	versions, err := e.Admin.QueryMetrics(t.Context(), client.MetricsQuery{Functions: []string{"a"}, ByVersion: true})
	if err != nil || len(versions.Series) != 1 || versions.Series[0].Version != 1 {
		t.Errorf("versions: %+v, %v", versions, err)
	}
}

func TestMetricsOfStrangeQuestions(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("a", rest.DeployConfig{})
	for query, words := range map[string]string{
		"function=nobody":           "nobody",
		"function=*&function=a":     "function is * and names",
		"version=1":                 "version needs a function",
		"group=version":             "group=version needs",
		"function=a&group=month":    "group",
		"outcome=sad":               "ok, function_error, timeout",
		"fields=colour":             "requests, outcomes, starts",
		"step=1ms":                  "whole seconds",
		"step=1500ms":               "whole seconds",
		"step=fast":                 "whole seconds",
		"step=1s":                   "3600 steps, over the limit of 2000",
		"from=yesterday":            "from",
		"from=2030-01-01T00:00:00Z": "not before to",
		"function=a&version=-1":     "version",
		"from=0001-01-01T00:00:01Z": "ever kept",
		"to=2030-01-01T00:00:00Z":   "",
		"from=1970-01-01T00:00:00Z": "ever kept",
		"from=2020-01-01T00:00:00Z": "",
		"function=a&version=7":      "",
		"step=1m&from=" + time.Now().Add(-24*time.Hour).UTC().Format(time.RFC3339): "",
	} {
		a := e.Do("GET", "/api/v1/metrics/query?"+query, "", servertest.Auth(e.Key))
		if words == "" {
			if a.StatusCode != 200 {
				t.Errorf("%s: %s %s", query, a.Status, a.Text)
			}
			continue
		}
		if p := mustProblem(t, a); !strings.Contains(p.Detail+p.Hint, words) || p.Status/100 != 4 {
			t.Errorf("%s: %+v, want %q", query, p, words)
		}
	}
}
