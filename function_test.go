package hearth_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"hearth"
)

func TestCORSThatBrowsersWouldNotUnderstand(t *testing.T) {
	some := []string{"https://app.example", "http://localhost:5173", "http://[::1]:80", "https://192.0.2.7", "chrome-extension://abc"}
	for _, tt := range []struct {
		name string
		cors hearth.CORS
		says string // "" if it is valid
	}{
		{"some origins", hearth.CORS{Origins: some, Credentials: true, Methods: []string{"PUT"}, Headers: []string{"X-A"}, MaxAge: hearth.Duration(24 * time.Hour)}, ""},
		{"every origin", hearth.CORS{Origins: []string{"*"}}, ""},
		{"no origin", hearth.CORS{Methods: []string{"PUT"}}, "names no origins"},
		{"a host", hearth.CORS{Origins: []string{"app.example"}}, `"app.example", which is not an origin`},
		{"a path", hearth.CORS{Origins: []string{"https://app.example/"}}, `"https://app.example/", which is not an origin`},
		{"a name and password", hearth.CORS{Origins: []string{"https://a:b@app.example"}}, "not an origin"},
		{"capitals", hearth.CORS{Origins: []string{"https://App.example"}}, "not an origin"},
		{"two in one item", hearth.CORS{Origins: []string{"https://a.example, https://b.example"}}, "not an origin"},
		{"a scheme alone", hearth.CORS{Origins: []string{"https://"}}, "not an origin"},
		{"nothing", hearth.CORS{Origins: []string{""}}, "not an origin"},
		{"any host below", hearth.CORS{Origins: []string{"https://*.example"}}, "not an origin"},
		{"part of a host", hearth.CORS{Origins: append(some, "*.example")}, `"*.example", which is not an origin`},
		{"credentials for all", hearth.CORS{Origins: []string{"*"}, Credentials: true}, "credentials to every origin"},
		{"methods in one item", hearth.CORS{Origins: some, Methods: []string{"GET, PUT"}}, "neither a method nor a header"},
		{"an empty header", hearth.CORS{Origins: some, Headers: []string{""}}, "neither a method nor a header"},
		{"a time that goes back", hearth.CORS{Origins: some, MaxAge: -1}, "out of range"},
		{"a time too long", hearth.CORS{Origins: some, MaxAge: hearth.Duration(25 * time.Hour)}, "out of range"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.cors.Validate()
			ofRoute := hearth.Route{Method: "POST", Path: "/pay", CORS: &tt.cors}.Validate()
			if tt.says == "" {
				if err != nil || ofRoute != nil {
					t.Errorf("refused: %v, %v", err, ofRoute)
				}
				return
			}
			wantInvalid(t, err, "cors", tt.says)
			wantInvalid(t, ofRoute, "route.cors", `route "POST /pay": cors`, tt.says)
		})
	}
	for _, r := range []hearth.Route{{Path: "/a", CORS: &hearth.CORS{}}, {Path: "/a", CORS: &hearth.CORS{Origins: []string{}}}} {
		if err := r.Validate(); err != nil {
			t.Errorf("a route can't do without CORS: %v", err)
		}
	}
}

func wantInvalid(t *testing.T, err error, field string, says ...string) {
	t.Helper()
	var e *hearth.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %v", err)
	}
	if e.Code != hearth.CodeInvalid || e.Field != field || e.Hint == "" {
		t.Errorf("error is %+v, want the field %s and a hint", e, field)
	}
	for _, s := range says {
		if !strings.Contains(e.Message, s) {
			t.Errorf("%q doesn't say %q", e.Message, s)
		}
	}
}

func TestARouteHasItsOwnCORSOrTheFunctions(t *testing.T) {
	function, own := &hearth.CORS{Origins: []string{"https://a.example"}}, &hearth.CORS{Origins: []string{"*"}}
	for _, tt := range []struct {
		name                  string
		function, route, want *hearth.CORS
	}{
		{"neither", nil, nil, nil},
		{"the function's", function, nil, function},
		{"the route's", nil, own, own},
		{"both", function, own, own},
		{"a route that wants none", function, &hearth.CORS{Origins: []string{}}, nil},
		{"a function that wants none", &hearth.CORS{}, nil, nil},
	} {
		f := hearth.Function{CORS: tt.function}
		if got := f.CORSFor(hearth.Route{Path: "/x", CORS: tt.route}); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
}
