package api

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"strconv"
	"strings"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/store"
)

func (a *API) functionOps() []operation {
	const tag = "functions"
	return []operation{
		call(a, op("list-functions", "GET", "/functions", tag, "List functions by name", hearth.RoleViewer), a.listFunctions),
		call(a, op("get-function", "GET", "/functions/{name}", tag, "Get a function", hearth.RoleViewer), a.getFunction),
		call(a, op("update-function", "PATCH", "/functions/{name}", tag, "Change who may call a function, and where", hearth.RoleDeveloper), a.updateFunction),
		call(a, op("delete-function", "DELETE", "/functions/{name}", tag, "Delete a function with its versions", hearth.RoleDeveloper), a.deleteFunction),
		call(a, op("rollback-function", "POST", "/functions/{name}/rollback", tag, "Let another version serve", hearth.RoleDeveloper), a.rollback),
	}
}

// withETag is a document of a function; the tag is its revision.
type withETag struct {
	ETag string `header:"ETag"`
	Body rest.FunctionInfo
}

// Conditional is the input of changes that may depend on a revision.
type Conditional struct {
	IfMatch string `header:"If-Match" doc:"the function's ETag; the change fails with 412 if it is another by now"`
}

// revision returns what the caller last saw, 0 for any.
func (m Conditional) revision() (int64, error) {
	tag := strings.Trim(strings.TrimPrefix(m.IfMatch, "W/"), `"`)
	if tag == "" || tag == "*" {
		return 0, nil
	}
	n, err := strconv.ParseInt(tag, 10, 64)
	if err != nil || n < 1 {
		return 0, hearth.Errorf(hearth.CodeStale, "If-Match is %s, which no function ever had", m.IfMatch).
			WithHint("send the ETag of the function as you last read it")
	}
	return n, nil
}

func (a *API) listFunctions(ctx context.Context, in *struct {
	Page
	Prefix string `query:"prefix" doc:"only names that start so"`
}) (*body[rest.List[rest.FunctionInfo]], error) {
	fs, next, err := a.o.Store.Functions(ctx, in.Prefix, in.store())
	if err != nil {
		return nil, err
	}
	infos := make([]rest.FunctionInfo, 0, len(fs))
	for _, f := range fs {
		info, err := a.infoOf(ctx, f)
		if err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return listOf(infos, next), nil
}

func (a *API) getFunction(ctx context.Context, in *ByName) (*withETag, error) {
	f, err := a.o.Store.Function(ctx, in.Name)
	return a.tagged(ctx, f, err)
}

func (a *API) updateFunction(ctx context.Context, in *struct {
	ByName
	Conditional
	Body rest.FunctionUpdate
}) (*withETag, error) {
	rev, err := in.revision()
	if err != nil {
		return nil, err
	}
	u, err := updateOf(in.Body)
	if err != nil {
		return nil, err
	}
	unlock := a.deployer.locks.lock(in.Name)
	defer unlock()
	f, err := a.o.Store.UpdateFunction(ctx, in.Name, u, rev)
	if err == nil {
		a.functions.update(f)
		a.o.Engine.Update(f)
		a.changes.publish(rest.Event{Kind: rest.EventUpdated, Function: f.Name, Version: f.Active, By: caller(ctx).user.Name})
	}
	return a.tagged(ctx, f, err)
}

func (a *API) deleteFunction(ctx context.Context, in *struct {
	ByName
	Conditional
}) (*none, error) {
	rev, err := in.revision()
	if err != nil {
		return nil, err
	}
	unlock := a.deployer.locks.lock(in.Name)
	defer unlock()
	if err := a.o.Store.DeleteFunction(ctx, in.Name, caller(ctx).user.Name, rev); err != nil {
		return nil, err
	}
	a.functions.remove(in.Name)
	a.o.Metrics.Forget(in.Name)
	a.o.Live.Forget(in.Name)
	a.changes.publish(rest.Event{Kind: rest.EventDeleted, Function: in.Name, By: caller(ctx).user.Name})
	// It is gone from the store: what still runs must end even if the caller
	// has left.
	return nil, a.o.Engine.Remove(context.WithoutCancel(ctx), in.Name)
}

func (a *API) rollback(ctx context.Context, in *struct {
	ByName
	Body rest.Rollback
}) (*withETag, error) {
	if err := hearth.ValidateMessage(in.Body.Message); err != nil {
		return nil, err
	}
	unlock := a.deployer.locks.lock(in.Name)
	defer unlock()
	f, err := a.o.Store.Function(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	v, err := a.rollbackTarget(ctx, f, in.Body.Version)
	if err != nil {
		return nil, err
	}
	d := hearth.Deploy{Function: f.Name, Version: v.Number, Kind: hearth.DeployActivate, By: caller(ctx).user.Name, Message: in.Body.Message}
	if f, err = a.o.Store.Activate(ctx, d, store.FunctionUpdate{}, 0); err != nil {
		return nil, err
	}
	return a.tagged(ctx, f, a.deployer.put(ctx, f, v, rest.EventActivated))
}

func (a *API) rollbackTarget(ctx context.Context, f hearth.Function, number int) (hearth.Version, error) {
	if number != 0 {
		return a.o.Store.Version(ctx, f.Name, number)
	}
	for p := (store.Page{}); ; {
		vs, next, err := a.o.Store.Versions(ctx, f.Name, p)
		if err != nil {
			return hearth.Version{}, err
		}
		for _, v := range vs {
			if v.Number < f.Active {
				return v, nil
			}
		}
		if next == "" {
			return hearth.Version{}, hearth.Errorf(hearth.CodeConflict, "%s has no version before %d", f.Name, f.Active).
				WithHint("hearth versions %s lists those that there are", f.Name)
		}
		p.Cursor = next
	}
}

func (a *API) tagged(ctx context.Context, f hearth.Function, err error) (*withETag, error) {
	if err != nil {
		return nil, err
	}
	info, err := a.infoOf(ctx, f)
	return &withETag{ETag: strconv.Quote(strconv.FormatInt(f.Revision, 10)), Body: info}, err
}

// infoOf adds the active version, from memory where it is there.
func (a *API) infoOf(ctx context.Context, f hearth.Function) (rest.FunctionInfo, error) {
	if f.Active == 0 {
		return a.info(f, nil), nil
	}
	if known, ok := a.functions.get(f.Name); ok && known.version.Number == f.Active {
		v := a.redact(ctx, known.version)
		return a.info(f, &v), nil
	}
	v, err := a.o.Store.Version(ctx, f.Name, f.Active)
	if err != nil {
		return rest.FunctionInfo{}, err
	}
	v = a.redact(ctx, v)
	return a.info(f, &v), nil
}

func (a *API) info(f hearth.Function, v *hearth.Version) rest.FunctionInfo {
	base := a.o.URL()
	urls := []string{base + "/fn/" + f.Name + "/"}
	for _, r := range f.Routes {
		urls = append(urls, base+strings.TrimSuffix(r.Path, "*"))
	}
	if f.Routes == nil {
		f.Routes = []hearth.Route{}
	}
	return rest.FunctionInfo{Function: f, Version: v, URLs: urls}
}

// redact hides the values of the environment, where people keep secrets, from
// those who may only look. Equal values of one name in one function look equal,
// so that two versions can be compared; nothing else can be told from them.
func (a *API) redact(ctx context.Context, v hearth.Version) hearth.Version {
	if caller(ctx).user.Role.Allows(hearth.RoleDeveloper) || len(v.Config.Env) == 0 {
		return v
	}
	hidden := make(map[string]string, len(v.Config.Env))
	for name, value := range v.Config.Env {
		mac := hmac.New(sha256.New, a.disguise)
		_, _ = io.WriteString(mac, v.Function+"\x00"+name+"\x00"+value) // a hash takes all
		hidden[name] = fmt.Sprintf("(hidden %x)", mac.Sum(nil)[:6])
	}
	v.Config.Env = hidden
	return v
}
