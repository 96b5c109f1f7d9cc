package api_test

import (
	"testing"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/config"
	"hearth/internal/sandbox/fake"
	"hearth/internal/server"
	"hearth/internal/server/servertest"
)

func TestTemplatesSayWhatTheyRunOn(t *testing.T) {
	lang := fake.Runtime().Language
	e := servertest.Start(t, func(_ *config.Config, o *server.Options) {
		o.Templates = []rest.Template{{Name: "here", Language: lang}, {Name: "elsewhere", Language: "cobol"}}
	})
	viewer, _ := e.User("vera", hearth.RoleViewer)
	ts, err := viewer.Templates(t.Context())
	if err != nil || len(ts) != 2 {
		t.Fatalf("got %+v, %v", ts, err)
	}
	if ts[0].Runtime != fake.Runtime().Name || ts[1].Runtime != "" {
		t.Errorf("they run on %q and %q", ts[0].Runtime, ts[1].Runtime)
	}
}
