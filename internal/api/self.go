package api

import (
	"context"

	"hearth"
	"hearth/client/rest"
)

func (a *API) selfOps() []operation {
	const tag = "server"
	return []operation{
		call(a, op("who-am-i", "GET", "/whoami", tag, "Get the user behind the key", hearth.RoleViewer), a.whoAmI),
		call(a, op("add-sign-in-link", "POST", "/whoami/sign-in-links", tag, "Make an address that signs a browser in, once", hearth.RoleViewer), a.addSignInLink),
		call(a, op("get-server", "GET", "/server", tag, "Get what the server is and what this host can enforce", hearth.RoleViewer), a.getServer),
	}
}

func (a *API) whoAmI(ctx context.Context, _ *struct{}) (*body[rest.Identity], error) {
	id := caller(ctx)
	return &body[rest.Identity]{rest.Identity{User: id.user, Key: id.key}}, nil
}

func (a *API) addSignInLink(ctx context.Context, _ *struct{}) (*body[rest.SignInLink], error) {
	id := caller(ctx)
	if id.user.ID == "" {
		return nil, hearth.Errorf(hearth.CodeUnauthenticated, "nobody is signed in")
	}
	return &body[rest.SignInLink]{a.SignInLink(id.user.ID)}, nil
}

func (a *API) getServer(ctx context.Context, _ *struct{}) (*body[rest.Server], error) {
	return &body[rest.Server]{rest.Server{
		Version: a.o.Version, Instance: a.o.Instance, URL: a.o.URL(), StartedAt: hearth.Moment(a.started), Draining: !a.o.Ready(),
		Sandbox: a.o.Sandbox, Sandboxes: a.o.Drivers(ctx), Dropped: a.o.Store.Dropped(), Load: rest.Load(a.o.Engine.Stats()),
		Defaults: a.defaults(), Bounds: bounds(a.o.Languages.All()), Settings: a.o.Settings,
	}}, nil
}
