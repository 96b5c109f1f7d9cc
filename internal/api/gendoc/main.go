// Command gendoc writes the reference of the REST API to standard output, made
// from the same table that the server answers by; with -openapi, the OpenAPI
// document that the dashboard's types come from. It isn't part of the server.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/api"
)

func main() {
	openapi := flag.Bool("openapi", false, "write the OpenAPI document")
	flag.Parse()
	w := bufio.NewWriter(os.Stdout)
	spec := api.New(api.Options{}).OpenAPI()
	var err error
	if *openapi {
		err = writeOpenAPI(w, spec)
	} else {
		write(w, spec)
	}
	if err = errors.Join(err, w.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, "gendoc:", err)
		os.Exit(1)
	}
}

// writeOpenAPI renders the document, indented so that changes are seen line by line.
func writeOpenAPI(w io.Writer, spec *huma.OpenAPI) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	return enc.Encode(spec)
}

// write renders the whole reference.
func write(w io.Writer, spec *huma.OpenAPI) {
	fmt.Fprint(w, intro)
	writeCodes(w)
	for _, tag := range tags(spec) {
		fmt.Fprintf(w, "\n## %s%s\n", strings.ToUpper(tag[:1]), tag[1:])
		for _, o := range operations(spec, tag) {
			writeOperation(w, spec, o)
		}
	}
	fmt.Fprint(w, "\n## Documents\n")
	for _, name := range slices.Sorted(maps.Keys(spec.Components.Schemas.Map())) {
		writeSchema(w, spec, name)
	}
}

const intro = `<!-- Made by "make docs" from the server's table of operations. Don't edit. -->
# The REST API

The same as OpenAPI 3.1 is at ` + "`/openapi.json`" + ` of a running server.

Send a key as ` + "`Authorization: Bearer KEY`" + `. A role includes those after it: admin, developer, viewer.
Durations are Go strings (` + "`300ms`, `3s`" + `), memory is in MiB, times are RFC 3339 in UTC to the millisecond, ids are ULIDs. Lists come in
pages: ask again with ` + "`cursor`" + ` set to the ` + "`next`" + ` of the page before, until there is none.

Besides the operations below there are ` + "`/fn/{name}/…`" + ` and the routes that functions have chosen, ` + "`/metrics`" + ` (Prometheus) and
` + "`/openapi.json`" + ` for viewers, and ` + "`/healthz`, `/readyz`, `/ui/`" + ` for anybody.

## Pages of other origins

` + "`cors`" + ` of a function holds at ` + "`/fn/{name}/…`" + ` and on its routes; ` + "`cors`" + ` of a route holds there in its place, whole. With
` + "`{\"origins\": []}`" + ` a route has none though its function has; the same on a function takes its own away. Where there is
CORS the platform answers preflight requests, by the route that the announced method would reach, and puts the headers on
every reply, its own errors included: pages can read a 401, 405, 429 or 502. Where there is none, preflights go to the
function, and the headers are its own to set. Without ` + "`methods`" + ` a preflight allows those that reach the same CORS, without
` + "`headers`" + ` Authorization and Content-Type. Browsers keep its answer by address, so ` + "`max_age`" + ` is 0 where methods of one path
have different CORS.

## Errors

Errors are problem documents (RFC 9457, ` + "`application/problem+json`" + `). ` + "`code`" + ` is stable; ` + "`hint`" + ` says what to do; ` + "`field`" + ` names
the input at fault. A function's failure has ` + "`error_type` and `trace`" + ` for callers with a key; strangers on public
routes get the code and the id of the invocation only.

`

func writeCodes(w io.Writer) {
	fmt.Fprint(w, "| code | status | whose fault |\n|---|---|---|\n")
	for _, c := range rest.Codes() {
		status := fmt.Sprint(rest.StatusOf(&hearth.Error{Code: c}))
		if c == hearth.CodeInvalid {
			status = "400 where it can't be read, 422 where a field is wrong"
		}
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", c, status, c.Fault())
	}
}

// tags lists the groups in the order of their first operation.
func tags(spec *huma.OpenAPI) []string {
	seen := map[string]bool{}
	for _, item := range spec.Paths {
		for _, o := range methods(item) {
			seen[o.Tags[0]] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

func methods(item *huma.PathItem) []*huma.Operation {
	return slices.DeleteFunc([]*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete},
		func(o *huma.Operation) bool { return o == nil })
}

func operations(spec *huma.OpenAPI, tag string) (os []*huma.Operation) {
	for _, path := range slices.Sorted(maps.Keys(spec.Paths)) {
		for _, o := range methods(spec.Paths[path]) {
			if o.Tags[0] == tag {
				os = append(os, o)
			}
		}
	}
	return os
}

func writeOperation(w io.Writer, spec *huma.OpenAPI, o *huma.Operation) {
	fmt.Fprintf(w, "\n### %s\n\n`%s %s` · %s\n", o.Summary, o.Method, o.Path, o.Extensions["x-role"])
	if o.Description != "" {
		fmt.Fprintf(w, "\n%s\n", o.Description)
	}
	var rows []string
	for _, p := range o.Parameters {
		if p.In != "path" {
			rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", p.Name, p.In, typeOf(p.Schema), cell(p.Description)))
		}
	}
	if len(rows) > 0 {
		fmt.Fprintf(w, "\n| parameter | in | type | |\n|---|---|---|---|\n%s\n", strings.Join(rows, "\n"))
	}
	if o.RequestBody != nil {
		fmt.Fprintf(w, "\nSend: %s\n", content(o.RequestBody.Content))
	}
	for _, status := range slices.Sorted(maps.Keys(o.Responses)) {
		if status != "default" {
			r := o.Responses[status]
			fmt.Fprintf(w, "\n%s\n", strings.TrimSpace("Get: "+status+" "+content(r.Content)))
		}
	}
}

func content(c map[string]*huma.MediaType) string {
	var parts []string
	for _, ct := range slices.Sorted(maps.Keys(c)) {
		s := "`" + ct + "`"
		switch schema := c[ct].Schema; {
		case schema == nil:
		case len(schema.Properties) > 0:
			for _, name := range slices.Sorted(maps.Keys(schema.Properties)) {
				p := schema.Properties[name]
				s += fmt.Sprintf("; part `%s`: %s", name, strings.TrimSpace(typeOf(p)+" "+cell(p.Description)))
			}
		case typeOf(schema) != "":
			s += " " + typeOf(schema)
		}
		parts = append(parts, s)
	}
	return strings.Join(parts, " or ")
}

func writeSchema(w io.Writer, spec *huma.OpenAPI, name string) {
	s := spec.Components.Schemas.Map()[name]
	fmt.Fprintf(w, "\n### %s\n\n", name)
	if len(s.Properties) == 0 {
		fmt.Fprintf(w, "%s\n", typeOf(s))
		return
	}
	fmt.Fprint(w, "| member | type | |\n|---|---|---|\n")
	for _, p := range slices.Sorted(maps.Keys(s.Properties)) {
		fmt.Fprintf(w, "| `%s` | %s | %s |\n", p, typeOf(s.Properties[p]), cell(s.Properties[p].Description))
	}
}

// typeOf says what a value is, with a link where it is a document.
func typeOf(s *huma.Schema) string {
	switch {
	case s == nil:
		return ""
	case s.Ref != "":
		name := s.Ref[strings.LastIndexByte(s.Ref, '/')+1:]
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	case s.Type == "array":
		return "list of " + typeOf(s.Items)
	case s.Type == "object":
		if values, ok := s.AdditionalProperties.(*huma.Schema); ok {
			return "map to " + typeOf(values)
		}
	case s.Format == "date-time":
		return "time"
	}
	return s.Type
}

// cell keeps text from breaking out of a table.
func cell(s string) string { return strings.NewReplacer("|", "\\|", "\n", " ").Replace(s) }
