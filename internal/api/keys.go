package api

import (
	"context"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/store"
)

func (a *API) keyOps() []operation {
	const tag = "keys"
	return []operation{
		call(a, op("list-keys", "GET", "/keys", tag, "List your keys; an admin: anybody's", hearth.RoleViewer), a.listKeys),
		call(a, op("add-key", "POST", "/keys", tag, "Make a key for yourself; an admin: for anybody", hearth.RoleViewer), a.addKey),
		call(a, op("delete-key", "DELETE", "/keys/{id}", tag, "Take away a key of yours; an admin: of anybody", hearth.RoleViewer), a.deleteKey),
	}
}

// owner returns the user that is named, which only an admin may do for others.
func (a *API) owner(ctx context.Context, name string) (hearth.User, error) {
	me := caller(ctx).user
	if name == "" || name == me.Name {
		return me, nil
	}
	if err := caller(ctx).allow(hearth.RoleAdmin); err != nil {
		return me, err
	}
	return a.o.Store.UserByName(ctx, name)
}

func (a *API) listKeys(ctx context.Context, in *struct {
	Page
	User string `query:"user" doc:"name of the user; yourself if not given"`
}) (*body[rest.List[hearth.Key]], error) {
	u, err := a.owner(ctx, in.User)
	if err != nil {
		return nil, err
	}
	a.auth.flush(ctx) // so that last_used is right
	ks, next, err := a.o.Store.Keys(ctx, u.ID, in.store())
	return listOf(ks, next), err
}

func (a *API) addKey(ctx context.Context, in *body[rest.NewKey]) (*body[rest.CreatedKey], error) {
	u, err := a.owner(ctx, in.Body.User)
	if err != nil {
		return nil, err
	}
	var expires *time.Time
	switch ttl := in.Body.TTL.Std(); {
	case ttl < 0:
		return nil, hearth.Errorf(hearth.CodeInvalid, "ttl is negative").WithField("ttl")
	case ttl > 0:
		t := hearth.Moment(time.Now().Add(ttl))
		expires = &t
	}
	k, err := IssueKey(ctx, a.o.Store, u.ID, in.Body.Name, expires)
	return &body[rest.CreatedKey]{k}, err
}

func (a *API) deleteKey(ctx context.Context, in *struct {
	ID string `path:"id"`
}) (*none, error) {
	if !caller(ctx).user.Role.Allows(hearth.RoleAdmin) {
		if err := a.ownsKey(ctx, in.ID); err != nil {
			return nil, err
		}
	}
	defer a.auth.forget()
	return nil, a.o.Store.DeleteKey(ctx, in.ID)
}

// ownsKey says not found of others' keys: that they exist is nobody's business.
func (a *API) ownsKey(ctx context.Context, id string) error {
	for p := (store.Page{Limit: 1000}); ; {
		ks, next, err := a.o.Store.Keys(ctx, caller(ctx).user.ID, p)
		if err != nil {
			return err
		}
		for _, k := range ks {
			if k.ID == id {
				return nil
			}
		}
		if next == "" {
			return hearth.Errorf(hearth.CodeNotFound, "you have no key %q", id).WithHint("hearth keys lists yours")
		}
		p.Cursor = next
	}
}
