package api

import (
	"context"
	"regexp"

	"hearth"
	"hearth/client/rest"
)

func (a *API) userOps() []operation {
	const tag = "users"
	return []operation{
		call(a, op("list-users", "GET", "/users", tag, "List users", hearth.RoleAdmin), a.listUsers),
		call(a, op("add-user", "POST", "/users", tag, "Add a user", hearth.RoleAdmin), a.addUser),
		call(a, op("update-user", "PATCH", "/users/{name}", tag, "Change a user's role", hearth.RoleAdmin), a.updateUser),
		call(a, op("delete-user", "DELETE", "/users/{name}", tag, "Delete a user with all keys", hearth.RoleAdmin), a.deleteUser),
	}
}

var userRE = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]{0,62}$`)

func validateRole(r hearth.Role) error {
	if r.Allows(r) {
		return nil
	}
	return hearth.Errorf(hearth.CodeInvalid, "%q is not a role", r).WithHint("use admin, developer or viewer").WithField("role")
}

func (a *API) listUsers(ctx context.Context, in *Page) (*body[rest.List[hearth.User]], error) {
	us, next, err := a.o.Store.Users(ctx, in.store())
	return listOf(us, next), err
}

func (a *API) addUser(ctx context.Context, in *body[rest.NewUser]) (*body[hearth.User], error) {
	if !userRE.MatchString(in.Body.Name) {
		return nil, hearth.Errorf(hearth.CodeInvalid, "%q can't be a user's name", in.Body.Name).
			WithHint("use letters, digits and . _ @ + -, starting with a letter or digit").WithField("name")
	}
	if err := validateRole(in.Body.Role); err != nil {
		return nil, err
	}
	u, err := a.o.Store.AddUser(ctx, hearth.User{Name: in.Body.Name, Role: in.Body.Role, CreatedBy: caller(ctx).user.Name})
	return &body[hearth.User]{u}, err
}

func (a *API) updateUser(ctx context.Context, in *struct {
	ByName
	Body rest.UserUpdate
}) (*body[hearth.User], error) {
	if err := validateRole(in.Body.Role); err != nil {
		return nil, err
	}
	u, err := a.o.Store.UserByName(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	defer a.auth.forget()
	if err := a.o.Store.SetRole(ctx, u.ID, in.Body.Role); err != nil {
		return nil, err
	}
	u.Role = in.Body.Role
	return &body[hearth.User]{u}, nil
}

func (a *API) deleteUser(ctx context.Context, in *ByName) (*none, error) {
	u, err := a.o.Store.UserByName(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	defer a.auth.forget()
	return nil, a.o.Store.DeleteUser(ctx, u.ID)
}
