package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"hearth/internal/api"
)

func TestTheReferenceIsUpToDate(t *testing.T) {
	var want bytes.Buffer
	write(&want, api.New(api.Options{}).OpenAPI())
	got, err := os.ReadFile("../../../docs/api_spec.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("docs/api_spec.md is stale: run make docs")
	}
	for _, s := range []string{"/api/v1/functions/{name}/invoke", "| `function_timeout` | 504 | function |", "### DeployConfig"} {
		if !strings.Contains(want.String(), s) {
			t.Errorf("the reference doesn't hold %q", s)
		}
	}
}

func TestTheDashboardsTypesAreUpToDate(t *testing.T) {
	var want bytes.Buffer
	if err := writeOpenAPI(&want, api.New(api.Options{}).OpenAPI()); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../web/src/api/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want.Bytes()) {
		t.Error("web/src/api/openapi.json is stale: run make docs")
	}
}
