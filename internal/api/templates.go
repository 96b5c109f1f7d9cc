package api

import (
	"context"
	"slices"

	"hearth"
	"hearth/client/rest"
)

func (a *API) templateOps() []operation {
	return []operation{
		call(a, op("list-templates", "GET", "/templates", "templates", "List functions to start from", hearth.RoleViewer), a.listTemplates),
	}
}

func (a *API) listTemplates(context.Context, *struct{}) (*body[rest.List[rest.Template]], error) {
	ts := slices.Clone(a.o.Templates)
	for i := range ts {
		ts[i].Runtime = a.newest(ts[i].Language)
	}
	return listOf(ts, ""), nil
}

// newest names the best runtime of a language on this host, "" if there is none.
func (a *API) newest(language string) string {
	for _, rt := range a.o.Languages.All() {
		if rt.Language == language {
			return rt.Name
		}
	}
	return ""
}
