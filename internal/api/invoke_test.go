package api_test

import (
	"testing"

	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

func TestSmoke(t *testing.T) {
	e := servertest.Start(t)
	d := e.Deploy("hello", rest.DeployConfig{})
	t.Logf("%+v", d)
	a := e.Do("POST", "/fn/hello/x?y=1", `{"a":1}`, servertest.Auth(e.Key))
	t.Logf("%v %v %s", a.Status, a.Header, a.Text)
	a = e.Do("GET", "/openapi.json", "", servertest.Auth(e.Key))
	t.Logf("%v %v %.3000s", a.Status, a.Header, a.Text)
	a = e.Do("GET", "/api/v1/functions", "", servertest.Auth(e.Key))
	t.Logf("%v %v %s", a.Status, a.Header, a.Text)
	a = e.Do("GET", "/api/v1/functions?limit=x", "", servertest.Auth(e.Key))
	t.Logf("%v %v %s", a.Status, a.Header, a.Text)
	a = e.Do("GET", "/api/v1/invocations?limit=2", "", servertest.Auth(e.Key))
	t.Logf("%v %v %s", a.Status, a.Header, a.Text)
}
