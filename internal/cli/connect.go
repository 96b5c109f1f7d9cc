package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"hearth"
	"hearth/client"
	"hearth/internal/config"
)

// contexts is what `hearth login` keeps: servers with their keys, and which of
// them is meant. Local is the data folder of the server that this user started
// last on this host.
type contexts struct {
	Current string             `json:"current,omitempty"`
	Servers map[string]account `json:"servers,omitempty"`
	Local   string             `json:"local,omitempty"`
}

type account struct {
	URL string `json:"url"`
	Key string `json:"key"`
}

func (a *App) contextsFile() string { return filepath.Join(a.Home, "hearth", "contexts.json") }

func (a *App) readContexts() (contexts, error) {
	c := contexts{Servers: map[string]account{}}
	b, err := os.ReadFile(a.contextsFile())
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return c, hearth.Errorf(hearth.CodeInvalid, "read %s: %w", a.contextsFile(), err).WithHint("mend or remove that file")
	}
	if c.Servers == nil {
		c.Servers = map[string]account{}
	}
	return c, nil
}

// writeContexts keeps c readable by its owner only: it holds keys.
func (a *App) writeContexts(c contexts) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	file := a.contextsFile()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return hearth.Errorf(hearth.CodePlatform, "keep the context: %w", err)
	}
	temp := file + ".new"
	if err := os.WriteFile(temp, append(b, '\n'), 0o600); err != nil {
		return hearth.Errorf(hearth.CodePlatform, "keep the context: %w", err)
	}
	return os.Rename(temp, file)
}

// noteLocal remembers where the server on this host keeps its data, for
// commands that are given no address. It is a convenience: failing costs that.
func (a *App) noteLocal(data string) {
	c, err := a.readContexts()
	if err != nil || c.Local == data {
		return
	}
	c.Local = data
	_ = a.writeContexts(c)
}

// with makes the body of a command that speaks to a server.
func (a *App) with(f func(context.Context, *client.Client, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cl, err := a.client()
		if err != nil {
			return err
		}
		return f(cmd.Context(), cl, args)
	}
}

// client finds the server: by flag, environment, login, or on this host.
func (a *App) client() (*client.Client, error) {
	url, key, err := a.endpoint()
	if err != nil {
		return nil, err
	}
	return client.New(url, key)
}

// endpoint is where client connects to. A flag wins over the environment, the
// environment over what was kept.
func (a *App) endpoint() (url, key string, err error) {
	url, key = strings.TrimRight(first(a.url, a.Env("HEARTH_URL")), "/"), first(a.key, a.Env("HEARTH_API_KEY"))
	c, err := a.readContexts()
	if err != nil {
		return "", "", err
	}
	if url != "" {
		key = first(key, c.Servers[url].Key)
		if e, k, err := a.local(c); err == nil && e.URL == url {
			key = first(key, k)
		}
		return url, key, nil
	}
	if s, ok := c.Servers[c.Current]; ok && a.Env("HEARTH_DATA") == "" {
		return s.URL, first(key, s.Key), nil
	}
	e, k, err := a.local(c)
	if err != nil {
		return "", "", err
	}
	return e.URL, first(key, k), nil
}

// local looks for a server on this host: on the folder that HEARTH_DATA names,
// or else on those it may have.
func (a *App) local(c contexts) (config.Endpoint, string, error) {
	if dir := a.Env("HEARTH_DATA"); dir != "" {
		return config.ReadEndpoint(dir)
	}
	for _, dir := range []string{c.Local, "data", config.Default().Data} {
		if dir == "" {
			continue
		}
		if e, key, err := config.ReadEndpoint(dir); err == nil {
			return e, key, nil
		}
	}
	return config.Endpoint{}, "", hearth.Errorf(hearth.CodeUnavailable, "no server was found on this host").
		WithHint("start one with: hearth up, or name one: hearth login URL, or HEARTH_URL and HEARTH_API_KEY")
}

// whereFrom adds to an error of a server that can't be reached, or that doesn't
// know the key, how it came to be the one that is meant.
func (a *App) whereFrom(e *hearth.Error) *hearth.Error {
	if e.Code != hearth.CodeUnavailable && e.Code != hearth.CodeUnauthenticated || first(a.url, a.Env("HEARTH_URL"), a.Env("HEARTH_DATA")) != "" {
		return e
	}
	c, err := a.readContexts()
	if err != nil || c.Current == "" {
		return e
	}
	hint := strings.TrimPrefix(e.Hint+"; ", "; ")
	return e.WithHint("%syou are logged in to %s: go back to this host with: hearth login local", hint, c.Current)
}

func first(ss ...string) string {
	for _, s := range ss {
		if s != "" {
			return s
		}
	}
	return ""
}
