package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"hearth"
	"hearth/internal/store"
)

func insertDeploy(ctx context.Context, tx *sql.Tx, d hearth.Deploy) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO deploys (id, at, function, version, kind, from_version, by, message)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		newID(), micros(d.At), d.Function, d.Version, d.Kind, d.FromVersion, d.By, d.Message)
	return err
}

func scanDeploy(r scanner) (hearth.Deploy, error) {
	var (
		d  hearth.Deploy
		at int64
	)
	err := r.Scan(&d.ID, &at, &d.Function, &d.Version, &d.Kind, &d.FromVersion, &d.By, &d.Message)
	d.At = fromMicros(at)
	return d, err
}

// Deploys lists the history newest first.
func (s *Store) Deploys(ctx context.Context, q store.DeployQuery, p store.Page) (ds []hearth.Deploy, next string, err error) {
	limit, err := pageLimit(p)
	if err != nil {
		return nil, "", err
	}
	var c conditions
	if q.Function != "" {
		c.and("function = ?", q.Function)
	}
	c.between("at", q.From, q.To)
	var (
		at int64
		id string
	)
	if ok, err := parseCursor(p.Cursor, "deploys", &at, &id); err != nil {
		return nil, "", err
	} else if ok {
		a := c.arg(at)
		c.and("(at < "+a+" OR (at = "+a+" AND id < ?))", id)
		c.and("at <= " + a) // the same once more, in a form that an index serves
	}
	ds, err = collect(ctx, s.c.Read, scanDeploy, `SELECT id, at, function, version, kind, from_version, by, message FROM deploys`+
		c.String()+` ORDER BY at DESC, id DESC LIMIT `+fmt.Sprint(limit+1), c.args...)
	ds, next = cut(ds, limit, func(d hearth.Deploy) string { return formatCursor("deploys", micros(d.At), d.ID) })
	return ds, next, wrap("list deploys", err)
}
