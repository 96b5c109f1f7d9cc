package wire

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Type says what a frame is.
type Type uint8

// The types of protocol.md.
const (
	TypeHello Type = 1 + iota
	TypeLoad
	TypeReady
	TypeInvoke
	TypeResult
	TypeChunk
	TypeCredit
	TypeError
	TypeLog
	TypeCancel
	TypePing
	TypePong
)

var typeNames = [...]string{
	"none", "hello", "load", "ready", "invoke", "result", "chunk", "credit", "error", "log", "cancel", "ping", "pong",
}

// String returns the name that protocol.md uses.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return fmt.Sprintf("type %d", uint8(t))
}

// The flags of a frame.
const (
	FlagEnd    = 1 << 0 // on a chunk: the last of its stream
	FlagStream = 1 << 1 // on a result: chunks follow
)

// The limits of protocol.md, in bytes.
const (
	MaxHead        = 1 << 20
	DefaultMaxBody = 16 << 20
	MaxChunk       = 64 << 10
	MaxLog         = 64 << 10
	MaxPing        = 64
	InitialCredit  = 256 << 10
)

const headerSize = 16

// eager is how much of a body is allocated on the word of its header alone.
// The rest follows when that much has really come.
const eager = 1 << 20

// ErrProtocol is wrapped by every error that says what a shim did wrong.
var ErrProtocol = errors.New("the sandbox broke the wire protocol")

func violation(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrProtocol}, args...)...)
}

// Frame is one frame. Head is a JSON object or empty.
type Frame struct {
	Type   Type
	Flags  uint8
	Stream uint32
	Head   []byte
	Body   []byte
}

// AppendTo appends the bytes of f to b. It doesn't check f.
func (f Frame) AppendTo(b []byte) []byte {
	b = appendHeader(b, f.Type, f.Flags, f.Stream, len(f.Head), len(f.Body))
	b = append(b, f.Head...)
	return append(b, f.Body...)
}

func appendHeader(b []byte, t Type, flags uint8, stream uint32, head, body int) []byte {
	b = append(b, byte(t), flags, 0, 0)
	b = binary.BigEndian.AppendUint32(b, stream)
	b = binary.BigEndian.AppendUint32(b, uint32(head))
	return binary.BigEndian.AppendUint32(b, uint32(body))
}

// ReadFrame reads one frame and checks all that can be seen in the frame
// alone. Head and Body are the caller's. The error is io.EOF if r ended before
// the first byte, io.ErrUnexpectedEOF if it ended within the frame, and wraps
// [ErrProtocol] if the frame isn't legal.
func ReadFrame(r *bufio.Reader, maxBody int) (Frame, error) {
	h, err := readHeader(r, maxBody)
	if err != nil {
		return Frame{}, err
	}
	f := Frame{Type: h.typ, Flags: h.flags, Stream: h.stream}
	if f.Head, err = readBytes(r, h.head, nil); err != nil {
		return Frame{}, err
	}
	if err := checkHead(f.Head); err != nil {
		return Frame{}, err
	}
	if f.Body, err = readBytes(r, h.body, nil); err != nil {
		return Frame{}, err
	}
	return f, nil
}

// header is the decoded and checked fixed part of a frame.
type header struct {
	typ        Type
	flags      uint8
	stream     uint32
	head, body int
}

func readHeader(r *bufio.Reader, maxBody int) (header, error) {
	p, err := r.Peek(headerSize)
	if err != nil {
		if err == io.EOF && len(p) > 0 {
			err = io.ErrUnexpectedEOF
		}
		return header{}, err
	}
	h := header{typ: Type(p[0]), flags: p[1], stream: binary.BigEndian.Uint32(p[4:])}
	reserved := binary.BigEndian.Uint16(p[2:])
	head, body := binary.BigEndian.Uint32(p[8:]), binary.BigEndian.Uint32(p[12:])
	if _, err := r.Discard(headerSize); err != nil {
		return header{}, err
	}
	switch {
	case h.typ < TypeHello || h.typ > TypePong:
		return header{}, violation("unknown frame type %d", p[0])
	case h.flags&^allowedFlags(h.typ) != 0:
		return header{}, violation("flags %#x on a %s frame", h.flags, h.typ)
	case reserved != 0:
		return header{}, violation("reserved bytes of a %s frame are not zero", h.typ)
	case head > MaxHead:
		return header{}, violation("head of %d bytes on a %s frame", head, h.typ)
	case uint64(body) > uint64(min(maxBody, bodyLimit(h.typ, maxBody))):
		return header{}, violation("body of %d bytes on a %s frame", body, h.typ)
	case !streamAllowed(h.typ, h.stream):
		return header{}, violation("%s frame on stream %d", h.typ, h.stream)
	}
	h.head, h.body = int(head), int(body)
	return h, nil
}

func allowedFlags(t Type) uint8 {
	switch t {
	case TypeChunk:
		return FlagEnd
	case TypeResult:
		return FlagStream
	}
	return 0
}

func bodyLimit(t Type, maxBody int) int {
	switch t {
	case TypeLoad, TypeInvoke, TypeResult:
		return maxBody
	case TypeChunk:
		return MaxChunk
	case TypeLog:
		return MaxLog
	case TypePing, TypePong:
		return MaxPing
	}
	return 0
}

func streamAllowed(t Type, stream uint32) bool {
	switch t {
	case TypeHello, TypeLoad, TypeReady, TypePing, TypePong:
		return stream == 0
	case TypeInvoke, TypeResult, TypeChunk, TypeCredit, TypeCancel:
		return stream != 0
	}
	return true
}

// readBytes reads n bytes into scratch if they fit there, else into memory
// that grows only as bytes arrive.
func readBytes(r *bufio.Reader, n int, scratch []byte) ([]byte, error) {
	if n == 0 {
		return nil, nil
	}
	buf := scratch
	if n > cap(buf) {
		buf = make([]byte, min(n, eager))
	}
	buf = buf[:min(n, cap(buf))]
	if err := readFull(r, buf); err != nil {
		return nil, err
	}
	if len(buf) == n {
		return buf, nil
	}
	whole := make([]byte, n)
	copy(whole, buf)
	if err := readFull(r, whole[len(buf):]); err != nil {
		return nil, err
	}
	return whole, nil
}

func readFull(r io.Reader, p []byte) error {
	_, err := io.ReadFull(r, p)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// checkHead reports a head that is neither empty nor a JSON object.
func checkHead(head []byte) error {
	if len(head) == 0 {
		return nil
	}
	if !isObject(head) || !json.Valid(head) {
		return violation("head is not a JSON object")
	}
	return nil
}

func isObject(head []byte) bool {
	t := bytes.TrimLeft(head, " \t\r\n")
	return len(t) > 0 && t[0] == '{'
}

// decodeHead reads a head into v, which keeps its value if the head is empty.
func decodeHead(t Type, head []byte, v any) error {
	if len(head) == 0 {
		return nil
	}
	if !isObject(head) {
		return violation("head of a %s frame is not a JSON object", t)
	}
	if err := json.Unmarshal(head, v); err != nil {
		return violation("head of a %s frame: %v", t, err)
	}
	return nil
}
