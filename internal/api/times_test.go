package api_test

import (
	"net/http"
	"regexp"
	"testing"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

var (
	timeRE   = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^"]*"`)
	momentRE = regexp.MustCompile(`^"[^".]*(\.\d{1,3})?Z"$`)
)

// Times are in UTC, to the millisecond, in all documents.
func TestTimesAreMoments(t *testing.T) {
	e := servertest.Start(t)
	check := func(what, document string) {
		t.Helper()
		times := timeRE.FindAllString(document, -1)
		if len(times) == 0 {
			t.Errorf("%s tells no time: %s", what, document)
		}
		for _, at := range times {
			if !momentRE.MatchString(at) {
				t.Errorf("%s tells the time as %s", what, at)
			}
		}
	}
	next, _ := events(t, e, "/api/v1/events")
	e.Deploy("f", rest.DeployConfig{})
	check("an event", next()["data"])
	call := e.Do("POST", "/api/v1/functions/f/invoke", `{"log":"a line"}`, servertest.Auth(e.Key))
	e.Do("POST", "/api/v1/functions/f/invoke", `{"fail":"x"}`, servertest.Auth(e.Key))
	for path, body := range map[string]string{
		"/keys":                 `{"name":"k","ttl":"1h"}`,
		"/users":                `{"name":"ada","role":"viewer"}`,
		"/whoami/sign-in-links": ``,
		"/functions/f/rollback": `{"version":1}`,
	} {
		a := e.Do("POST", "/api/v1"+path, body, servertest.Auth(e.Key), "Content-Type: application/json")
		if a.StatusCode != http.StatusOK && a.StatusCode != http.StatusCreated {
			t.Errorf("POST %s: %s %s", path, a.Status, a.Text)
		}
		check("POST "+path, a.Text)
	}
	for _, path := range []string{
		"/functions", "/functions/f", "/functions/f/versions", "/invocations", "/invocations/" + call.Header.Get(rest.HeaderInvocation),
		"/logs", "/metrics", "/sandboxes", "/users", "/keys", "/whoami", "/server",
	} {
		check("GET "+path, e.Do("GET", "/api/v1"+path, "", servertest.Auth(e.Key)).Text)
	}
	tail, _ := events(t, e, "/api/v1/logs/tail?after=1")
	e.Do("POST", "/api/v1/functions/f/invoke", `{"log":"another"}`, servertest.Auth(e.Key))
	check("a line of the tail", tail()["data"])
	is, err := e.Admin.Invocations(t.Context(), client.InvocationsQuery{Function: "f"}, client.Page{})
	if err != nil || len(is.Items) != 3 {
		t.Fatalf("got %+v, %v", is, err)
	}
	for _, i := range is.Items {
		if i.Outcome == hearth.OutcomeOK && i.Duration <= 0 {
			t.Errorf("a call took %s: its time is measured by a clock of milliseconds", i.Duration)
		}
	}
}
