package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"hearth"
)

// Endpoint is how programs on the same host find a running server. It stands
// in ServerFile.
type Endpoint struct {
	URL string `json:"url"`
	PID int    `json:"pid"`
}

// ReadEndpoint returns the server that runs on the data folder dir, with the
// first admin's key if the caller may read it, else "". Without a server it
// fails with hearth.CodeUnavailable.
func ReadEndpoint(dir string) (Endpoint, string, error) {
	b, err := os.ReadFile(filepath.Join(dir, ServerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return Endpoint{}, "", hearth.Errorf(hearth.CodeUnavailable, "no server runs on %s", dir).
			WithHint("start one with: hearth serve --data %s", dir)
	}
	if err != nil {
		return Endpoint{}, "", fmt.Errorf("find the server: %w", err)
	}
	var e Endpoint
	if err := json.Unmarshal(b, &e); err != nil {
		return Endpoint{}, "", fmt.Errorf("read %s: %w", ServerFile, err)
	}
	key, err := os.ReadFile(filepath.Join(dir, KeyFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission) {
		return e, "", fmt.Errorf("read the key: %w", err)
	}
	return e, strings.TrimSpace(string(key)), nil
}

// endpointPoll is how often WaitEndpoint looks: it waits for a file that another
// goroutine or process writes within milliseconds.
const endpointPoll = 10 * time.Millisecond

// WaitEndpoint is ReadEndpoint that waits for the server to come up, until ctx
// ends.
func WaitEndpoint(ctx context.Context, dir string) (Endpoint, string, error) {
	for {
		e, key, err := ReadEndpoint(dir)
		if hearth.ErrorCode(err) != hearth.CodeUnavailable {
			return e, key, err
		}
		select {
		case <-ctx.Done():
			return Endpoint{}, "", err
		case <-time.After(endpointPoll):
		}
	}
}
