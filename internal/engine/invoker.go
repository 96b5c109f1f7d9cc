package engine

import (
	"context"

	"hearth/internal/wire"
)

// link speaks a version's protocol with one sandbox, whatever the protocol is;
// its vocabulary is the wire's. What the methods promise is what *wire.Conn
// promises; in particular, an error of Invoke means that the sandbox can't have
// seen the whole event.
type link interface {
	Load(l wire.Load, code []byte) error
	Ready(ctx context.Context) (wire.Ready, error)
	Invoke(i wire.Invoke, body []byte) (exchange, error)
	Done() <-chan struct{}
	Err() error
	Close() error
}

// exchange is one invocation on a link.
type exchange interface {
	ID() uint32
	Result(ctx context.Context) (r wire.Result, body []byte, more bool, err error)
	Chunk(ctx context.Context) ([]byte, error)
	Cancel(reason string) error
	Close()
}
