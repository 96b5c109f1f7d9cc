package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"hearth"
	"hearth/internal/store"
)

const functionColumns = `name, active, public, cors, revision, created_at, created_by, updated_at`

func scanFunction(r scanner) (hearth.Function, error) {
	var (
		f                hearth.Function
		public           int64
		cors             sql.NullString
		created, updated int64
	)
	if err := r.Scan(&f.Name, &f.Active, &public, &cors, &f.Revision, &created, &f.CreatedBy, &updated); err != nil {
		return f, err
	}
	f.Public = public != 0
	f.CreatedAt, f.UpdatedAt = fromMicros(created), fromMicros(updated)
	var err error
	if f.CORS, err = unmarshalCORS(cors); err != nil {
		return f, fmt.Errorf("read CORS of function %s: %w", f.Name, err)
	}
	return f, nil
}

// functionByName reads a function with its routes.
func functionByName(ctx context.Context, q querier, name string) (hearth.Function, error) {
	f, err := scanFunction(q.QueryRowContext(ctx, `SELECT `+functionColumns+` FROM functions WHERE name = $1`, name))
	if errors.Is(err, sql.ErrNoRows) {
		return f, hearth.Errorf(hearth.CodeNotFound, "there is no function %q", name).WithHint("`hearth list` shows the functions there are")
	}
	if err != nil {
		return f, err
	}
	fs := []hearth.Function{f}
	err = addRoutes(ctx, q, fs)
	return fs[0], err
}

// addRoutes fills the routes of functions that are ordered by name.
func addRoutes(ctx context.Context, q querier, fs []hearth.Function) error {
	if len(fs) == 0 {
		return nil
	}
	type owned struct {
		hearth.Route
		function string
	}
	routes, err := collect(ctx, q, func(r scanner) (o owned, err error) {
		var cors sql.NullString
		if err := r.Scan(&o.function, &o.Method, &o.Path, &cors); err != nil {
			return o, err
		}
		if o.CORS, err = unmarshalCORS(cors); err != nil {
			return o, fmt.Errorf("read CORS of route %q: %w", o.Route, err)
		}
		return o, nil
	}, `SELECT function, method, path, cors FROM routes WHERE function >= $1 AND function <= $2 ORDER BY function, position`,
		fs[0].Name, fs[len(fs)-1].Name)
	if err != nil {
		return err
	}
	byName := map[string]*hearth.Function{}
	for i := range fs {
		byName[fs[i].Name] = &fs[i]
	}
	for _, r := range routes {
		if f := byName[r.function]; f != nil {
			f.Routes = append(f.Routes, r.Route)
		}
	}
	return nil
}

// Function returns a function by its name.
func (s *Store) Function(ctx context.Context, name string) (f hearth.Function, err error) {
	err = s.read(ctx, "find function", func(tx *sql.Tx) error {
		f, err = functionByName(ctx, tx, name)
		return err
	})
	return f, err
}

// Functions lists functions by name.
func (s *Store) Functions(ctx context.Context, prefix string, p store.Page) (fs []hearth.Function, next string, err error) {
	limit, err := pageLimit(p)
	if err != nil {
		return nil, "", err
	}
	var c conditions
	if prefix != "" {
		// Names are lower-case letters, digits and dashes: all before "~".
		c.and("name >= ?", prefix)
		c.and("name < ?", prefix+"~")
	}
	var after string
	if ok, err := parseCursor(p.Cursor, "functions", &after); err != nil {
		return nil, "", err
	} else if ok {
		c.and("name > ?", after)
	}
	err = s.read(ctx, "list functions", func(tx *sql.Tx) error {
		q := `SELECT ` + functionColumns + ` FROM functions` + c.String() + ` ORDER BY name LIMIT ` + fmt.Sprint(limit+1)
		if fs, err = collect(ctx, tx, scanFunction, q, c.args...); err != nil {
			return err
		}
		fs, next = cut(fs, limit, func(f hearth.Function) string { return formatCursor("functions", f.Name) })
		return addRoutes(ctx, tx, fs)
	})
	return fs, next, err
}

// AddVersion stores a version and, if need be, its function.
func (s *Store) AddVersion(ctx context.Context, f hearth.Function, v hearth.Version) (hearth.Version, error) {
	config, err := json.Marshal(v.Config)
	if err != nil {
		return v, fmt.Errorf("add version: %w", err)
	}
	v.Function, v.CreatedAt = f.Name, s.now()
	err = s.write(ctx, "add version", func(tx *sql.Tx) error {
		if err := checkRoutes(ctx, tx, f.Name, f.Routes); err != nil {
			return err
		}
		err := tx.QueryRowContext(ctx, `UPDATE functions SET last_number = last_number + 1 WHERE name = $1 RETURNING last_number`,
			f.Name).Scan(&v.Number)
		if errors.Is(err, sql.ErrNoRows) {
			v.Number = 1
			err = insertFunction(ctx, tx, f, v)
		}
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO versions
			(function, number, runtime, handler, sandbox, code_digest, code_bytes, config, created_at, created_by, message)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
			v.Function, v.Number, v.Runtime, v.Handler, v.Sandbox, v.CodeDigest, v.CodeBytes, string(config),
			micros(v.CreatedAt), v.CreatedBy, v.Message)
		return err
	})
	return v, err
}

func insertFunction(ctx context.Context, tx *sql.Tx, f hearth.Function, v hearth.Version) error {
	cors, err := marshalCORS(f.CORS)
	if err != nil {
		return err
	}
	by := f.CreatedBy
	if by == "" {
		by = v.CreatedBy
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO functions
		(name, active, last_number, public, cors, revision, created_at, created_by, updated_at)
		VALUES ($1, 0, $2, $3, $4, 1, $5, $6, $5)`,
		f.Name, v.Number, boolInt(f.Public), cors, micros(v.CreatedAt), by)
	if err != nil {
		return err
	}
	return insertRoutes(ctx, tx, f.Name, f.Routes)
}

func marshalCORS(c *hearth.CORS) (any, error) {
	if c == nil {
		return nil, nil
	}
	b, err := json.Marshal(c)
	return string(b), err
}

func unmarshalCORS(s sql.NullString) (c *hearth.CORS, err error) {
	if s.Valid {
		err = json.Unmarshal([]byte(s.String), &c)
	}
	return c, err
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// checkRoutes fails if a route belongs to another function. Two routes are the
// same if method and path are: "GET /a" may stand beside "/a" (the one with a
// method goes first) and "/a/*" beside "/a/b" (the longer one goes first).
func checkRoutes(ctx context.Context, q querier, name string, routes []hearth.Route) error {
	seen := map[string]bool{}
	for _, r := range routes {
		if seen[r.String()] {
			return hearth.Errorf(hearth.CodeInvalid, "route %q is given twice", r).
				WithHint("give each route once").WithField("routes")
		}
		seen[r.String()] = true
		var owner string
		err := q.QueryRowContext(ctx, `SELECT function FROM routes WHERE method = $1 AND path = $2 AND function <> $3`,
			r.Method, r.Path, name).Scan(&owner)
		switch {
		case err == nil:
			return hearth.Errorf(hearth.CodeConflict, "route %q belongs to function %q", r, owner).
				WithHint("choose another route, or take it from %s first", owner).WithField("routes")
		case !errors.Is(err, sql.ErrNoRows):
			return err
		}
	}
	return nil
}

func insertRoutes(ctx context.Context, tx *sql.Tx, name string, routes []hearth.Route) error {
	for i, r := range routes {
		cors, err := marshalCORS(r.CORS)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO routes (method, path, function, position, cors) VALUES ($1, $2, $3, $4, $5)`,
			r.Method, r.Path, name, i, cors)
		if err != nil {
			return fmt.Errorf("insert route %q: %w", r, err)
		}
	}
	return nil
}

// DropVersion forgets a version that never took traffic.
func (s *Store) DropVersion(ctx context.Context, name string, number int) error {
	return s.write(ctx, "drop version", func(tx *sql.Tx) error {
		var activated sql.NullInt64
		err := tx.QueryRowContext(ctx, `SELECT activated_at FROM versions WHERE function = $1 AND number = $2`,
			name, number).Scan(&activated)
		if errors.Is(err, sql.ErrNoRows) {
			return noVersion(name, number)
		}
		if err != nil {
			return err
		}
		if activated.Valid {
			return hearth.Errorf(hearth.CodeConflict, "version %d of %q has taken traffic", number, name).
				WithHint("delete the function, or leave the version for rollbacks")
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM versions WHERE function = $1 AND number = $2`, name, number); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM functions WHERE name = $1
			AND NOT EXISTS (SELECT 1 FROM versions WHERE function = $1)`, name)
		return err
	})
}

func noVersion(name string, number int) error {
	return hearth.Errorf(hearth.CodeNotFound, "function %q has no version %d", name, number).
		WithHint("`hearth versions %s` shows the versions there are", name)
}

// Activate gives a version the traffic.
func (s *Store) Activate(ctx context.Context, d hearth.Deploy, u store.FunctionUpdate, ifRevision int64) (f hearth.Function, err error) {
	err = s.write(ctx, "activate version", func(tx *sql.Tx) error {
		if f, err = lockFunction(ctx, tx, d.Function, ifRevision); err != nil {
			return err
		}
		at := s.now()
		res, err := tx.ExecContext(ctx, `UPDATE versions SET activated_at = COALESCE(activated_at, $3) WHERE function = $1 AND number = $2`,
			d.Function, d.Version, micros(at))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return noVersion(d.Function, d.Version)
		}
		d.At, d.FromVersion = at, f.Active
		if err := insertDeploy(ctx, tx, d); err != nil {
			return err
		}
		f.Active = d.Version
		return s.saveFunction(ctx, tx, &f, u)
	})
	return f, err
}

// UpdateFunction changes what is not nil.
func (s *Store) UpdateFunction(ctx context.Context, name string, u store.FunctionUpdate, ifRevision int64) (f hearth.Function, err error) {
	err = s.write(ctx, "update function", func(tx *sql.Tx) error {
		if f, err = lockFunction(ctx, tx, name, ifRevision); err != nil {
			return err
		}
		return s.saveFunction(ctx, tx, &f, u)
	})
	return f, err
}

// lockFunction reads a function that is about to change, and checks that it is
// the one the caller knows.
func lockFunction(ctx context.Context, tx *sql.Tx, name string, ifRevision int64) (hearth.Function, error) {
	f, err := functionByName(ctx, tx, name)
	if err != nil {
		return f, err
	}
	if ifRevision != 0 && ifRevision != f.Revision {
		return f, hearth.Errorf(hearth.CodeStale, "function %q has changed meanwhile: it is at revision %d, not %d", name, f.Revision, ifRevision).
			WithHint("read the function again, then repeat the change")
	}
	return f, nil
}

// saveFunction applies u to f and writes f as its next revision.
func (s *Store) saveFunction(ctx context.Context, tx *sql.Tx, f *hearth.Function, u store.FunctionUpdate) error {
	if u.Public != nil {
		f.Public = *u.Public
	}
	if u.CORS != nil {
		f.CORS = *u.CORS
	}
	if u.Routes != nil {
		if err := s.replaceRoutes(ctx, tx, f.Name, *u.Routes); err != nil {
			return err
		}
		f.Routes = append([]hearth.Route(nil), *u.Routes...)
	}
	cors, err := marshalCORS(f.CORS)
	if err != nil {
		return err
	}
	f.Revision++
	f.UpdatedAt = s.now()
	_, err = tx.ExecContext(ctx, `UPDATE functions SET active = $2, public = $3, cors = $4, revision = $5, updated_at = $6 WHERE name = $1`,
		f.Name, f.Active, boolInt(f.Public), cors, f.Revision, micros(f.UpdatedAt))
	return err
}

func (s *Store) replaceRoutes(ctx context.Context, tx *sql.Tx, name string, routes []hearth.Route) error {
	if err := checkRoutes(ctx, tx, name, routes); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM routes WHERE function = $1`, name); err != nil {
		return err
	}
	return insertRoutes(ctx, tx, name, routes)
}

// DeleteFunction removes a function with all that is its own.
func (s *Store) DeleteFunction(ctx context.Context, name, by string, ifRevision int64) error {
	return s.write(ctx, "delete function", func(tx *sql.Tx) error {
		f, err := lockFunction(ctx, tx, name, ifRevision)
		if err != nil {
			return err
		}
		d := hearth.Deploy{At: s.now(), Function: name, Kind: hearth.DeployDelete, FromVersion: f.Active, By: by}
		if err := insertDeploy(ctx, tx, d); err != nil {
			return err
		}
		if err := forgetFailures(ctx, tx, name); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM functions WHERE name = $1`, name)
		return err
	})
}

const versionColumns = `function, number, runtime, handler, sandbox, code_digest, code_bytes, config, created_at, created_by, message`

func scanVersion(r scanner) (hearth.Version, error) {
	var (
		v       hearth.Version
		config  string
		created int64
	)
	err := r.Scan(&v.Function, &v.Number, &v.Runtime, &v.Handler, &v.Sandbox, &v.CodeDigest, &v.CodeBytes, &config, &created, &v.CreatedBy, &v.Message)
	if err != nil {
		return v, err
	}
	v.CreatedAt = fromMicros(created)
	if err := json.Unmarshal([]byte(config), &v.Config); err != nil {
		return v, fmt.Errorf("read configuration of %s: %w", v.Ref(), err)
	}
	return v, nil
}

// Version returns one version.
func (s *Store) Version(ctx context.Context, name string, number int) (hearth.Version, error) {
	v, err := scanVersion(s.c.Read.QueryRowContext(ctx,
		`SELECT `+versionColumns+` FROM versions WHERE function = $1 AND number = $2`, name, number))
	if errors.Is(err, sql.ErrNoRows) {
		return v, noVersion(name, number)
	}
	if err != nil {
		return v, fmt.Errorf("find version: %w", err)
	}
	return v, nil
}

// Versions lists a function's versions, newest first.
func (s *Store) Versions(ctx context.Context, name string, p store.Page) (vs []hearth.Version, next string, err error) {
	limit, err := pageLimit(p)
	if err != nil {
		return nil, "", err
	}
	var c conditions
	c.and("function = ?", name)
	var before int64
	if ok, err := parseCursor(p.Cursor, "versions", &before); err != nil {
		return nil, "", err
	} else if ok {
		c.and("number < ?", before)
	}
	err = s.read(ctx, "list versions", func(tx *sql.Tx) error {
		if _, err := functionByName(ctx, tx, name); err != nil {
			return err
		}
		q := `SELECT ` + versionColumns + ` FROM versions` + c.String() + ` ORDER BY number DESC LIMIT ` + fmt.Sprint(limit+1)
		vs, err = collect(ctx, tx, scanVersion, q, c.args...)
		return err
	})
	vs, next = cut(vs, limit, func(v hearth.Version) string { return formatCursor("versions", v.Number) })
	return vs, next, err
}

// CodeDigests returns the digests that versions refer to.
func (s *Store) CodeDigests(ctx context.Context) (map[string]bool, error) {
	digests, err := collect(ctx, s.c.Read, func(r scanner) (d string, err error) { return d, r.Scan(&d) },
		`SELECT DISTINCT code_digest FROM versions`)
	if err != nil {
		return nil, fmt.Errorf("list code digests: %w", err)
	}
	set := make(map[string]bool, len(digests))
	for _, d := range digests {
		set[d] = true
	}
	return set, nil
}
