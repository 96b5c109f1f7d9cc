package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/bundle"
)

func (a *API) versionOps() []operation {
	const tag = "versions"
	return []operation{
		call(a, op("list-versions", "GET", "/functions/{name}/versions", tag, "List versions, newest first", hearth.RoleViewer), a.listVersions),
		call(a, op("get-version", "GET", "/functions/{name}/versions/{number}", tag, "Get a version", hearth.RoleViewer), a.getVersion),
		call(a, op("list-version-files", "GET", "/functions/{name}/versions/{number}/files", tag, "List the files of a version with their text", hearth.RoleViewer), a.versionFiles),
		op("get-version-code", "GET", "/functions/{name}/versions/{number}/code", tag, "Download the code of a version", hearth.RoleDeveloper).
			doc(func(o *huma.Operation) {
				o.Responses = map[string]*huma.Response{"200": {
					Description: "A .tar.gz", Content: map[string]*huma.MediaType{"application/gzip": {Schema: &huma.Schema{Type: "string", Format: "binary"}}},
				}}
			}).stream(a.versionCode),
	}
}

func (a *API) listVersions(ctx context.Context, in *struct {
	ByName
	Page
}) (*body[rest.List[hearth.Version]], error) {
	if _, err := a.o.Store.Function(ctx, in.Name); err != nil {
		return nil, err
	}
	vs, next, err := a.o.Store.Versions(ctx, in.Name, in.store())
	for i := range vs {
		vs[i] = a.redact(ctx, vs[i])
	}
	return listOf(vs, next), err
}

func (a *API) getVersion(ctx context.Context, in *struct {
	ByName
	Number int `path:"number" minimum:"1"`
}) (*body[hearth.Version], error) {
	v, err := a.o.Store.Version(ctx, in.Name, in.Number)
	return &body[hearth.Version]{a.redact(ctx, v)}, err
}

// fileView is what one reply holds of a version's code.
var fileView = bundle.View{Files: 1000, FileText: 256 << 10, Text: 4 << 20}

func (a *API) versionFiles(ctx context.Context, in *struct {
	ByName
	Number int `path:"number" minimum:"1"`
}) (*body[rest.VersionFiles], error) {
	v, err := a.o.Store.Version(ctx, in.Name, in.Number)
	if err != nil {
		return nil, err
	}
	files, truncated, err := a.o.Bundles.Files(ctx, v.CodeDigest, fileView)
	if err != nil {
		return nil, err
	}
	out := rest.VersionFiles{Files: make([]rest.VersionFile, 0, len(files)), Truncated: truncated}
	for _, f := range files {
		out.Files = append(out.Files, rest.VersionFile(f))
	}
	return &body[rest.VersionFiles]{out}, nil
}

func (a *API) versionCode(w http.ResponseWriter, r *http.Request) {
	n, err := parseVersion(r.PathValue("number"), "number")
	if err != nil {
		a.fail(w, r, err)
		return
	}
	v, err := a.o.Store.Version(r.Context(), r.PathValue("name"), n)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/gzip")
	w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%d.tar.gz"`, v.Function, v.Number))
	if err := a.o.Bundles.Export(r.Context(), v.CodeDigest, w); err != nil {
		a.log.ErrorContext(r.Context(), "code not sent", "version", v.Ref(), "err", err)
		panic(http.ErrAbortHandler)
	}
}
