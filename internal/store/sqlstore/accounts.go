package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"hearth"
	"hearth/internal/store"
)

const userColumns = `id, name, role, created_at, created_by`

func scanUser(r scanner) (hearth.User, error) {
	var (
		u       hearth.User
		created int64
	)
	err := r.Scan(&u.ID, &u.Name, &u.Role, &created, &u.CreatedBy)
	u.CreatedAt = fromMicros(created)
	return u, err
}

func userWhere(ctx context.Context, q querier, column, value string) (hearth.User, error) {
	u, err := scanUser(q.QueryRowContext(ctx, `SELECT `+userColumns+` FROM users WHERE `+column+` = $1`, value))
	if errors.Is(err, sql.ErrNoRows) {
		return u, hearth.Errorf(hearth.CodeNotFound, "there is no user %q", value).WithHint("`hearth users` shows the users there are")
	}
	return u, err
}

// AddUser adds a user.
func (s *Store) AddUser(ctx context.Context, u hearth.User) (hearth.User, error) {
	u.ID, u.CreatedAt = newID(), s.now()
	err := s.write(ctx, "add user", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `INSERT INTO users (id, name, role, created_at, created_by) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (name) DO NOTHING`, u.ID, u.Name, string(u.Role), micros(u.CreatedAt), u.CreatedBy)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return hearth.Errorf(hearth.CodeConflict, "there is a user %q already", u.Name).
				WithHint("choose another name").WithField("name")
		}
		return nil
	})
	return u, err
}

// User returns a user by ID.
func (s *Store) User(ctx context.Context, id string) (hearth.User, error) {
	u, err := userWhere(ctx, s.c.Read, "id", id)
	return u, wrap("find user", err)
}

// UserByName returns a user by name.
func (s *Store) UserByName(ctx context.Context, name string) (hearth.User, error) {
	u, err := userWhere(ctx, s.c.Read, "name", name)
	return u, wrap("find user", err)
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Users lists users by name.
func (s *Store) Users(ctx context.Context, p store.Page) (us []hearth.User, next string, err error) {
	limit, err := pageLimit(p)
	if err != nil {
		return nil, "", err
	}
	var c conditions
	var after string
	if ok, err := parseCursor(p.Cursor, "users", &after); err != nil {
		return nil, "", err
	} else if ok {
		c.and("name > ?", after)
	}
	us, err = collect(ctx, s.c.Read, scanUser,
		`SELECT `+userColumns+` FROM users`+c.String()+` ORDER BY name LIMIT `+fmt.Sprint(limit+1), c.args...)
	us, next = cut(us, limit, func(u hearth.User) string { return formatCursor("users", u.Name) })
	return us, next, wrap("list users", err)
}

// SetRole changes a user's role.
func (s *Store) SetRole(ctx context.Context, id string, role hearth.Role) error {
	return s.write(ctx, "set role", func(tx *sql.Tx) error {
		u, err := userWhere(ctx, tx, "id", id)
		if err != nil {
			return err
		}
		if role != hearth.RoleAdmin {
			if err := keepAnAdmin(ctx, tx, u); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE users SET role = $2 WHERE id = $1`, id, string(role))
		return err
	})
}

// DeleteUser removes a user with its keys.
func (s *Store) DeleteUser(ctx context.Context, id string) error {
	return s.write(ctx, "delete user", func(tx *sql.Tx) error {
		u, err := userWhere(ctx, tx, "id", id)
		if err != nil {
			return err
		}
		if err := keepAnAdmin(ctx, tx, u); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM users WHERE id = $1`, id)
		return err
	})
}

// keepAnAdmin fails if nobody but u is an admin: without one, nobody could
// ever make one again.
func keepAnAdmin(ctx context.Context, tx *sql.Tx, u hearth.User) error {
	if u.Role != hearth.RoleAdmin {
		return nil
	}
	var others int
	err := tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM users WHERE role = $1 AND id <> $2`, string(hearth.RoleAdmin), u.ID).Scan(&others)
	if err != nil {
		return err
	}
	if others == 0 {
		return hearth.Errorf(hearth.CodeConflict, "%q is the last admin", u.Name).WithHint("make another user an admin first")
	}
	return nil
}

const keyColumns = `keys.id, keys.user_id, keys.name, keys.prefix, keys.created_at, keys.expires_at, keys.last_used`

func scanKey(r scanner) (hearth.Key, error) { return scanKeyAnd(r) }

// scanKeyAnd reads a key and the columns behind it.
func scanKeyAnd(r scanner, more ...any) (hearth.Key, error) {
	var (
		k                 hearth.Key
		created           int64
		expires, lastUsed sql.NullInt64
	)
	err := r.Scan(append([]any{&k.ID, &k.User, &k.Name, &k.Prefix, &created, &expires, &lastUsed}, more...)...)
	k.CreatedAt, k.ExpiresAt, k.LastUsed = fromMicros(created), fromNullMicros(expires), fromNullMicros(lastUsed)
	return k, err
}

// AddKey adds a key of an existing user.
func (s *Store) AddKey(ctx context.Context, k hearth.Key, hash [32]byte) (hearth.Key, error) {
	k.ID, k.CreatedAt, k.LastUsed = newID(), s.now(), nil
	if k.ExpiresAt != nil {
		t := hearth.Moment(*k.ExpiresAt)
		k.ExpiresAt = &t
	}
	err := s.write(ctx, "add key", func(tx *sql.Tx) error {
		if _, err := userWhere(ctx, tx, "id", k.User); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, `INSERT INTO keys (id, user_id, name, prefix, hash, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (hash) DO NOTHING`,
			k.ID, k.User, k.Name, k.Prefix, hash[:], micros(k.CreatedAt), nullMicros(k.ExpiresAt))
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return hearth.Errorf(hearth.CodeConflict, "there is a key with this secret already").WithHint("make a new one")
		}
		return nil
	})
	return k, err
}

// KeyByHash finds a key that is valid now, and its user.
func (s *Store) KeyByHash(ctx context.Context, hash [32]byte) (hearth.Key, hearth.User, error) {
	var (
		u       hearth.User
		created int64
	)
	row := s.c.Read.QueryRowContext(ctx, `SELECT `+keyColumns+`, users.id, users.name, users.role, users.created_at, users.created_by
		FROM keys JOIN users ON users.id = keys.user_id
		WHERE keys.hash = $1 AND (keys.expires_at IS NULL OR keys.expires_at > $2)`, hash[:], micros(s.now()))
	k, err := scanKeyAnd(row, &u.ID, &u.Name, &u.Role, &created, &u.CreatedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return hearth.Key{}, hearth.User{}, hearth.Errorf(hearth.CodeNotFound, "the key is not known or has expired").
			WithHint("`hearth keys add` makes a new one")
	}
	u.CreatedAt = fromMicros(created)
	return k, u, wrap("find key", err)
}

// Keys lists keys in the order they were made.
func (s *Store) Keys(ctx context.Context, user string, p store.Page) (ks []hearth.Key, next string, err error) {
	limit, err := pageLimit(p)
	if err != nil {
		return nil, "", err
	}
	var c conditions
	if user != "" {
		c.and("user_id = ?", user)
	}
	var after string
	if ok, err := parseCursor(p.Cursor, "keys", &after); err != nil {
		return nil, "", err
	} else if ok {
		c.and("id > ?", after)
	}
	ks, err = collect(ctx, s.c.Read, scanKey,
		`SELECT `+keyColumns+` FROM keys`+c.String()+` ORDER BY id LIMIT `+fmt.Sprint(limit+1), c.args...)
	ks, next = cut(ks, limit, func(k hearth.Key) string { return formatCursor("keys", k.ID) })
	return ks, next, wrap("list keys", err)
}

// DeleteKey removes a key.
func (s *Store) DeleteKey(ctx context.Context, id string) error {
	return s.write(ctx, "delete key", func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, `DELETE FROM keys WHERE id = $1`, id)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil {
			return err
		} else if n == 0 {
			return hearth.Errorf(hearth.CodeNotFound, "there is no key %q", id).WithHint("`hearth keys` shows the keys there are")
		}
		return nil
	})
}

// TouchKeys notes when keys were last used; keys that are gone are skipped.
func (s *Store) TouchKeys(ctx context.Context, used map[string]time.Time) error {
	if len(used) == 0 {
		return nil
	}
	return s.write(ctx, "touch keys", func(tx *sql.Tx) error {
		for id, at := range used {
			_, err := tx.ExecContext(ctx, `UPDATE keys SET last_used = $2 WHERE id = $1 AND (last_used IS NULL OR last_used < $2)`,
				id, micros(hearth.Moment(at)))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// FindSession returns a session that has not expired.
func (s *Store) FindSession(ctx context.Context, token string) (data []byte, found bool, err error) {
	err = s.c.Read.QueryRowContext(ctx, `SELECT data FROM sessions WHERE token = $1 AND expiry > $2`, token, micros(s.now())).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	return data, err == nil, wrap("find session", err)
}

// SaveSession adds or replaces a session, and removes those that have expired.
func (s *Store) SaveSession(ctx context.Context, token string, data []byte, expiry time.Time) error {
	if data == nil {
		data = []byte{}
	}
	return s.write(ctx, "save session", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE expiry <= $1`, micros(s.now())); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO sessions (token, data, expiry) VALUES ($1, $2, $3)
			ON CONFLICT (token) DO UPDATE SET data = excluded.data, expiry = excluded.expiry`, token, data, micros(expiry))
		return err
	})
}

// DeleteSession removes a session if it is there.
func (s *Store) DeleteSession(ctx context.Context, token string) error {
	return s.write(ctx, "delete session", func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `DELETE FROM sessions WHERE token = $1`, token)
		return err
	})
}
