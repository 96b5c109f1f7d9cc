package hearth_test

import (
	"fmt"
	"strings"
	"testing"

	"hearth"
)

func TestTestEvents(t *testing.T) {
	plain := hearth.TestEvent{Name: "an order", Kind: hearth.TestEventJSON, Body: `{"a":1}`}
	http := hearth.TestEvent{Name: "Größe 7", Kind: hearth.TestEventHTTP, Method: "POST", Path: "/a?b=%20c", Headers: map[string]string{"x-a": "ö\t1"}, Body: "héllo"}
	many := map[string]string{}
	for i := range 65 {
		many[fmt.Sprintf("x-%d", i)] = "1"
	}
	with := func(e hearth.TestEvent, change func(*hearth.TestEvent)) hearth.TestEvent { change(&e); return e }
	for name, tt := range map[string]struct {
		e     hearth.TestEvent
		field string
	}{
		"json":                    {plain, ""},
		"no body":                 {with(plain, func(e *hearth.TestEvent) { e.Body = "" }), ""},
		"http":                    {http, ""},
		"bytes":                   {with(http, func(e *hearth.TestEvent) { e.Body, e.Base64 = "iVBORw==", true }), ""},
		"a name of no characters": {with(plain, func(e *hearth.TestEvent) { e.Name = "" }), "name"},
		"a long name":             {with(plain, func(e *hearth.TestEvent) { e.Name = strings.Repeat("n", 64) }), "name"},
		"a name with a slash":     {with(plain, func(e *hearth.TestEvent) { e.Name = "a/b" }), "name"},
		"a name with a space":     {with(plain, func(e *hearth.TestEvent) { e.Name = "a " }), "name"},
		"a name of dots":          {with(plain, func(e *hearth.TestEvent) { e.Name = ".." }), "name"},
		"a kind that isn't":       {with(plain, func(e *hearth.TestEvent) { e.Kind = "grpc" }), "kind"},
		"no JSON":                 {with(plain, func(e *hearth.TestEvent) { e.Body = "{" }), "body"},
		"json with a method":      {with(plain, func(e *hearth.TestEvent) { e.Method = "GET" }), "method"},
		"json with a path":        {with(plain, func(e *hearth.TestEvent) { e.Path = "/" }), "path"},
		"json with headers":       {with(plain, func(e *hearth.TestEvent) { e.Headers = map[string]string{"a": "b"} }), "headers"},
		"json with base64":        {with(plain, func(e *hearth.TestEvent) { e.Base64 = true }), "base64"},
		"a method that isn't":     {with(http, func(e *hearth.TestEvent) { e.Method = "BREW" }), "method"},
		"a relative path":         {with(http, func(e *hearth.TestEvent) { e.Path = "a" }), "path"},
		"a path with a space":     {with(http, func(e *hearth.TestEvent) { e.Path = "/a b" }), "path"},
		"a path with a fragment":  {with(http, func(e *hearth.TestEvent) { e.Path = "/a#b" }), "path"},
		"a header's name":         {with(http, func(e *hearth.TestEvent) { e.Headers = map[string]string{"a b": "c"} }), "headers"},
		"a header's value":        {with(http, func(e *hearth.TestEvent) { e.Headers = map[string]string{"a": "b\r\nc: d"} }), "headers"},
		"many headers":            {with(http, func(e *hearth.TestEvent) { e.Headers = many }), "headers"},
		"no base64":               {with(http, func(e *hearth.TestEvent) { e.Body, e.Base64 = "!", true }), "body"},
		"no text":                 {with(http, func(e *hearth.TestEvent) { e.Body = "\xff" }), "body"},
		"too much":                {with(http, func(e *hearth.TestEvent) { e.Body = strings.Repeat("x", hearth.MaxTestEventBytes) }), "body"},
	} {
		err := tt.e.Validate()
		if tt.field == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if e := hearth.AsError(err); e == nil || e.Field != tt.field || e.Hint == "" || e.Code.Fault() != hearth.FaultCaller {
			t.Errorf("%s: %+v, want one about %s", name, e, tt.field)
		}
	}
}
