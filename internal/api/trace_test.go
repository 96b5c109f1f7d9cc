package api_test

import (
	"strings"
	"testing"

	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

// Without a collector the caller's trace goes on through the function, and the
// record names it.
func TestTheRecordNamesTheCallersTrace(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{Public: ptr(true)})
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	good := "Traceparent: 00-" + trace + "-00f067aa0ba902b7-01"
	for _, tt := range []struct {
		name    string
		headers []string
		want    string
	}{
		{"one", []string{good}, trace},
		{"none", nil, ""},
		{"two", []string{good, good}, ""},
		{"not one", []string{strings.ToUpper(good)}, ""},
	} {
		for _, at := range []string{"/fn/hello/", "/api/v1/functions/hello/invoke"} {
			a := e.Do("POST", at, "", append(tt.headers, servertest.Auth(e.Key))...)
			i, err := e.Admin.Invocation(t.Context(), a.Header.Get(rest.HeaderInvocation))
			if err != nil || i.TraceID != tt.want {
				t.Errorf("%s at %s: the record names %q, %v", tt.name, at, i.TraceID, err)
			}
		}
	}
}
