package server

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"hearth"
	"hearth/internal/api"
	"hearth/internal/config"
	"hearth/internal/store"
)

// instanceID returns the name that this data folder got at its first start. It
// tells our sandboxes from those of other servers on the host.
func instanceID(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err == nil && len(strings.TrimSpace(string(b))) > 0 {
		return strings.TrimSpace(string(b)), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("read the instance id: %w", err)
	}
	id := strings.ToLower(rand.Text()[:12])
	return id, writeFile(file, []byte(id+"\n"))
}

// writeFile replaces file as a whole; only its owner can read it.
func writeFile(file string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(file), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("write %s: %w", file, err)
	}
	return nil
}

const adminName = "admin"

// openAdmin makes the first user and its key. A crash in between is mended at
// the next start: an admin without any key gets one.
func (s *Server) openAdmin(ctx context.Context) error {
	u, err := s.store.UserByName(ctx, adminName)
	if hearth.ErrorCode(err) == hearth.CodeNotFound {
		if u, err = s.firstAdmin(ctx); err != nil || u.ID == "" {
			return err
		}
	}
	if err != nil {
		return err
	}
	s.admin = u
	keys, _, err := s.store.Keys(ctx, u.ID, store.Page{Limit: 1})
	if err != nil || len(keys) > 0 {
		return err
	}
	k, err := api.IssueKey(ctx, s.store, u.ID, "first", nil)
	if err != nil {
		return err
	}
	s.created = true
	return writeFile(filepath.Join(s.cfg.Data, config.KeyFile), []byte(k.Secret+"\n"))
}

// firstAdmin makes the admin if there is no user at all. Where the operator has
// named the admins differently it picks one of them for sign-in links.
func (s *Server) firstAdmin(ctx context.Context) (hearth.User, error) {
	us, _, err := s.store.Users(ctx, store.Page{Limit: 1000})
	if err != nil {
		return hearth.User{}, err
	}
	for _, u := range us {
		if u.Role == hearth.RoleAdmin {
			s.admin = u
			return hearth.User{}, nil
		}
	}
	return s.store.AddUser(ctx, hearth.User{Name: adminName, Role: hearth.RoleAdmin, CreatedBy: adminName})
}

// writeEndpoint lets programs on this host find the server.
func (s *Server) writeEndpoint() error {
	b, err := json.Marshal(config.Endpoint{URL: s.localURL(), PID: os.Getpid()})
	if err != nil {
		return err
	}
	return writeFile(filepath.Join(s.cfg.Data, config.ServerFile), append(b, '\n'))
}

// listenError says what to do about an address that can't be had.
func listenError(addr string, err error) error {
	e := hearth.Errorf(hearth.CodeInvalid, "can't listen on %s: %w", addr, err).WithField("listen")
	_, port, _ := net.SplitHostPort(addr)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		e.Code = hearth.CodeConflict
		e.Message = fmt.Sprintf("port %s is in use by another program", port)
		return e.WithHint("stop that program (ss -ltnp 'sport = :%s' names it), or choose another port: --listen 127.0.0.1:0 takes any free one", port)
	case errors.Is(err, syscall.EACCES):
		return e.WithHint("ports below 1024 need root; choose a higher one: --listen 127.0.0.1:8080")
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return e.WithHint("this host doesn't have that address; 127.0.0.1 is this host only, 0.0.0.0 all its addresses")
	}
	return e.WithHint("choose another address with --listen")
}
