package api

import (
	"context"

	"hearth"
	"hearth/client/rest"
)

func (a *API) sandboxOps() []operation {
	const tag = "sandboxes"
	return []operation{
		call(a, op("list-sandboxes", "GET", "/sandboxes", tag, "List the sandboxes that live", hearth.RoleViewer), a.listSandboxes),
		call(a, op("kill-sandbox", "DELETE", "/sandboxes/{id}", tag, "Destroy a sandbox; its calls fail", hearth.RoleDeveloper), a.killSandbox),
		call(a, op("list-pools", "GET", "/pools", tag, "List the pools of prewarmed sandboxes", hearth.RoleViewer), a.listPools),
		call(a, op("list-runtimes", "GET", "/runtimes", tag, "List the languages of this host", hearth.RoleViewer), a.listRuntimes),
	}
}

func (a *API) listSandboxes(ctx context.Context, _ *struct{}) (*body[rest.List[rest.Sandbox]], error) {
	return listOf(a.sandboxes(ctx), ""), nil
}

func (a *API) sandboxes(ctx context.Context) []rest.Sandbox {
	out := []rest.Sandbox{}
	for _, s := range a.o.Engine.Sandboxes(ctx) {
		out = append(out, rest.Sandbox(s))
	}
	return out
}

func (a *API) killSandbox(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*none, error) {
	return nil, a.o.Engine.KillSandbox(ctx, in.ID)
}

func (a *API) listPools(context.Context, *struct{}) (*body[rest.List[rest.Pool]], error) {
	return listOf(a.pools(), ""), nil
}

func (a *API) pools() []rest.Pool {
	out := []rest.Pool{}
	for _, p := range a.o.Engine.Pools() {
		out = append(out, rest.Pool(p))
	}
	return out
}

func (a *API) listRuntimes(context.Context, *struct{}) (*body[rest.List[hearth.Runtime]], error) {
	return listOf(a.o.Languages.All(), ""), nil
}
