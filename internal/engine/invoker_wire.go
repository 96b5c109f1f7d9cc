package engine

import (
	"context"
	"fmt"

	"hearth/internal/sandbox"
	"hearth/internal/wire"
)

// wireLink is the link to one of our shims.
type wireLink struct{ *wire.Conn }

// dialWire opens the wire into sb and waits for the shim's hello.
func dialWire(ctx context.Context, sb sandbox.Sandbox, maxBody int, onLog func(uint32, wire.Log, []byte)) (link, error) {
	c, err := sb.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("dial the sandbox: %w", err)
	}
	w := wire.New(c, wire.Options{MaxBody: maxBody, OnLog: onLog})
	if _, err := w.Hello(ctx); err != nil {
		w.Close()
		return nil, err
	}
	return wireLink{w}, nil
}

// Invoke hides that a nil *Stream would not be a nil exchange.
func (w wireLink) Invoke(i wire.Invoke, body []byte) (exchange, error) {
	s, err := w.Conn.Invoke(i, body)
	if err != nil {
		return nil, err
	}
	return s, nil
}
