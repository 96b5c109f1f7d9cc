package logs

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"hearth"
)

// The streams of a line.
const (
	Stdout   = "stdout"
	Stderr   = "stderr"
	Platform = "platform"
)

// window is how long output between invocations is counted against the limit.
const window = time.Minute

// Writer takes the output of one invocation. All methods may be called
// concurrently.
type Writer struct {
	hub        *Hub
	function   string
	version    int
	invocation string

	mu           sync.Mutex
	partial      []*partial // at most one per stream
	written      int64      // bytes
	windowStart  time.Time
	droppedLines int64
	droppedBytes int64
	closed       bool
}

// partial is a line whose end has not come yet.
type partial struct {
	stream string
	at     time.Time // of its first byte
	text   []byte    // at most MaxLineBytes
	cut    int64     // bytes that came after those
}

// Write takes a piece of a stream. Lines may be spread over pieces; a piece
// with a level is whole lines, as logging libraries write them. A zero at is
// now. p isn't kept. After Close, it does nothing.
func (w *Writer) Write(stream, level string, at time.Time, p []byte) {
	if len(p) == 0 {
		return
	}
	if at.IsZero() {
		at = time.Now()
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	if level != "" {
		w.endPartial(stream)
	}
	for len(p) > 0 {
		line, rest, ended := bytes.Cut(p, []byte{'\n'})
		p = rest
		if !ended && level == "" {
			w.keep(stream, at, line)
			return
		}
		if part := w.take(stream); part != nil {
			part.add(line, w.hub.o.MaxLineBytes)
			w.emit(part, "")
			continue
		}
		part := partial{stream: stream, at: at}
		part.set(line, w.hub.o.MaxLineBytes)
		w.emit(&part, level)
	}
}

// Platform adds a line of the platform's own, which no limit holds back. It
// works after Close as well: what became of an invocation is known last.
func (w *Writer) Platform(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.platform(time.Now(), fmt.Sprintf(format, args...))
}

func (w *Writer) platform(at time.Time, text string) {
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		part := partial{stream: Platform, at: at}
		part.set([]byte(line), w.hub.o.MaxLineBytes)
		w.pass(&part, "", part.String())
	}
}

// Close ends the last lines and says how much was dropped. It may be called twice.
func (w *Writer) Close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return
	}
	w.closed = true
	for _, p := range w.partial {
		w.emit(p, "")
	}
	w.partial = nil
	w.noteDropped(time.Now())
}

// take removes and returns the unfinished line of a stream, nil if there is none.
func (w *Writer) take(stream string) *partial {
	for i, p := range w.partial {
		if p.stream == stream {
			w.partial = append(w.partial[:i], w.partial[i+1:]...)
			return p
		}
	}
	return nil
}

// keep remembers text as the unfinished line of a stream, behind what is
// remembered already.
func (w *Writer) keep(stream string, at time.Time, text []byte) {
	p := w.take(stream)
	if p == nil {
		p = &partial{stream: stream, at: at}
	}
	p.add(text, w.hub.o.MaxLineBytes)
	w.partial = append(w.partial, p)
}

// endPartial ends the unfinished line of a stream.
func (w *Writer) endPartial(stream string) {
	if p := w.take(stream); p != nil {
		w.emit(p, "")
	}
}

// emit passes a line on if the invocation hasn't printed too much.
func (w *Writer) emit(p *partial, level string) {
	text := p.String()
	size := int64(len(text)) + 1
	w.nextWindow(p.at)
	if w.droppedLines > 0 || w.written+size > w.hub.o.MaxInvocationBytes {
		w.droppedLines++
		w.droppedBytes += size + p.cut
		return
	}
	w.written += size
	w.pass(p, level, text)
}

// nextWindow lets output between invocations, which never ends, begin anew.
func (w *Writer) nextWindow(at time.Time) {
	if w.invocation != "" || at.Sub(w.windowStart) < window {
		return
	}
	w.noteDropped(at)
	w.windowStart, w.written = at, 0
}

func (w *Writer) noteDropped(at time.Time) {
	if w.droppedLines == 0 {
		return
	}
	lines := "lines"
	if w.droppedLines == 1 {
		lines = "line"
	}
	w.platform(at, fmt.Sprintf("… %d %s (%d bytes) dropped over the limit of %s",
		w.droppedLines, lines, w.droppedBytes, formatBytes(w.hub.o.MaxInvocationBytes)))
	w.droppedLines, w.droppedBytes = 0, 0
}

func (w *Writer) pass(p *partial, level, text string) {
	w.hub.pass(hearth.LogLine{
		At: hearth.Moment(p.at), Function: w.function, Version: w.version, Invocation: w.invocation,
		Stream: p.stream, Level: level, Text: text,
	})
}

// set makes line the text without copying it.
func (p *partial) set(line []byte, limit int) {
	p.text = line[:min(len(line), limit)]
	p.cut = int64(len(line) - len(p.text))
}

// add appends a copy of text.
func (p *partial) add(text []byte, limit int) {
	room := min(len(text), limit-len(p.text))
	p.text = append(p.text, text[:room]...)
	p.cut += int64(len(text) - room)
}

// String returns the line as it is kept: valid UTF-8 without zero bytes (which
// databases refuse), its carriage return taken off, and marked if it was cut.
func (p *partial) String() string {
	text := p.text
	cut := p.cut
	if cut > 0 {
		whole := wholeRunes(text)
		cut += int64(len(text) - len(whole))
		text = whole
	} else {
		text = bytes.TrimSuffix(text, []byte{'\r'})
	}
	s := strings.ToValidUTF8(string(text), "\ufffd")
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\ufffd")
	}
	if cut > 0 {
		s += fmt.Sprintf(" … (%d bytes cut)", cut)
	}
	return s
}

// wholeRunes cuts off a character that has only begun at the end of b.
func wholeRunes(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if c := b[len(b)-i]; utf8.RuneStart(c) {
			if !utf8.FullRune(b[len(b)-i:]) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}

func formatBytes(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 1<<10 && n%(1<<10) == 0:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
