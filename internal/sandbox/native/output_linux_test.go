package native

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

type collected struct {
	out   *output
	in    [2]*os.File
	bytes [3]bytes.Buffer // by descriptor; read only after close or flush
	some  chan struct{}
}

func mustOutput(t *testing.T) *collected {
	t.Helper()
	o, in, err := newOutput()
	if err != nil {
		t.Fatal(err)
	}
	c := &collected{out: o, in: in, some: make(chan struct{}, 1)}
	t.Cleanup(func() {
		closeAll(c.in[:])
		o.close()
	})
	return c
}

func (c *collected) sink(fd int, p []byte) {
	c.bytes[fd].Write(p)
	select {
	case c.some <- struct{}{}:
	default:
	}
}

func (c *collected) mustWrite(t *testing.T, fd int, text string) {
	t.Helper()
	if _, err := c.in[fd-1].WriteString(text); err != nil {
		t.Fatal(err)
	}
}

func TestFlushDeliversWhatWasWritten(t *testing.T) {
	c := mustOutput(t)
	c.out.start(c.sink)
	for i := range 200 {
		c.mustWrite(t, 1, "a")
		c.mustWrite(t, 2, "b")
		c.out.flush()
		c.out.mu.Lock()
		n1, n2 := c.bytes[1].Len(), c.bytes[2].Len()
		c.out.mu.Unlock()
		if n1 != i+1 || n2 != i+1 {
			t.Fatalf("after %d flushes: %d and %d bytes", i+1, n1, n2)
		}
	}
}

func TestOutputComesWithoutAFlush(t *testing.T) {
	c := mustOutput(t)
	c.mustWrite(t, 2, "before the sink")
	c.out.start(c.sink)
	select {
	case <-c.some:
	case <-time.After(10 * time.Second):
		t.Fatal("nothing came")
	}
}

func TestFlushEndsUnderAFlood(t *testing.T) {
	c := mustOutput(t)
	var got int
	c.out.start(func(fd int, p []byte) {
		got += len(p)
		c.sink(fd, nil)
	})
	stop := make(chan struct{})
	flooded := make(chan struct{})
	go func() {
		defer close(flooded)
		block := bytes.Repeat([]byte("x"), 64<<10)
		for {
			select {
			case <-stop:
				return
			default:
				if _, err := c.in[0].Write(block); err != nil {
					return
				}
			}
		}
	}()
	<-c.some
	for range 20 {
		c.out.flush()
	}
	close(stop)
	<-flooded
	c.out.flush()
	c.out.mu.Lock()
	defer c.out.mu.Unlock()
	if got == 0 || got%(64<<10) != 0 {
		t.Errorf("got %d bytes", got)
	}
}

func TestCloseEndsDelivery(t *testing.T) {
	c := mustOutput(t)
	c.out.start(c.sink)
	c.mustWrite(t, 1, "last words")
	c.out.flush()
	c.out.close()
	if got := c.bytes[1].String(); got != "last words" {
		t.Errorf("got %q", got)
	}
	c.out.flush() // harmless
	if _, err := c.in[0].WriteString("x"); err == nil {
		t.Error("the pipe is still read by somebody")
	}
}

func TestRestOfAFailedStart(t *testing.T) {
	c := mustOutput(t)
	c.mustWrite(t, 1, "out")
	if got := c.out.rest(100); got != "out" {
		t.Errorf("got %q", got)
	}
	c.mustWrite(t, 2, strings.Repeat("e", 200))
	if got := c.out.rest(100); got != strings.Repeat("e", 100) {
		t.Errorf("got %q", got)
	}
}

func TestOutputOfASandboxBlocks(t *testing.T) {
	c := mustOutput(t)
	for _, f := range c.in {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		if err != nil || flags&unix.O_NONBLOCK != 0 {
			t.Errorf("flags %#x, %v", flags, err)
		}
	}
}
