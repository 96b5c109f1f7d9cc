package wire

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// golden is one file of golden/, see its README.
type golden struct {
	Description string `json:"description"`
	From        string `json:"from"`
	Hex         string `json:"hex"`
	Frame       *struct {
		Type    Type            `json:"type"`
		Name    string          `json:"name"`
		Flags   uint8           `json:"flags"`
		Stream  uint32          `json:"stream"`
		Head    json.RawMessage `json:"head"`
		BodyHex string          `json:"body_hex"`
	} `json:"frame"`
	Invalid string `json:"invalid"`
}

func (g golden) bytes(t testing.TB) []byte {
	b, err := hex.DecodeString(g.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func goldens(t testing.TB) map[string]golden {
	t.Helper()
	names, err := filepath.Glob("golden/*.json")
	if err != nil || len(names) < 50 {
		t.Fatalf("golden files: %d, %v", len(names), err)
	}
	all := map[string]golden{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var g golden
		if err := json.Unmarshal(b, &g); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all[filepath.Base(name)] = g
	}
	return all
}

func TestGoldenFrames(t *testing.T) {
	for name, g := range goldens(t) {
		t.Run(name, func(t *testing.T) {
			raw := g.bytes(t)
			f, err := ReadFrame(bufio.NewReader(bytes.NewReader(raw)), DefaultMaxBody)
			if g.Frame == nil {
				if g.Invalid == "" || err == nil || err == io.EOF {
					t.Fatalf("%s: read as %+v, %v; want refused: %s", g.Description, f, err, g.Invalid)
				}
				if cut := g.Invalid == "cut off"; errors.Is(err, io.ErrUnexpectedEOF) != cut || errors.Is(err, ErrProtocol) == cut {
					t.Errorf("refused with %v, want %s", err, g.Invalid)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			want := g.Frame
			if f.Type != want.Type || f.Type.String() != want.Name || f.Flags != want.Flags || f.Stream != want.Stream {
				t.Errorf("read as %+v", f)
			}
			if hex.EncodeToString(f.Body) != want.BodyHex {
				t.Errorf("body read as %x", f.Body)
			}
			if !reflect.DeepEqual(decoded(t, f.Head), decoded(t, want.Head)) {
				t.Errorf("head read as %s, want %s", f.Head, want.Head)
			}
			if again := f.AppendTo(nil); !bytes.Equal(again, raw) {
				t.Errorf("written as %x, want %x", again, raw)
			}
		})
	}
}

func decoded(t *testing.T, head []byte) any {
	if len(head) == 0 {
		return nil
	}
	var v any
	if err := json.Unmarshal(head, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// TestGoldenHeads checks that the heads the engine writes are those of the
// golden files, and that it understands those that shims write.
func TestGoldenHeads(t *testing.T) {
	all := goldens(t)
	frame := func(name string) []byte { return all[name].Frame.Head }
	into := func(name string, v any) {
		t.Helper()
		d := json.NewDecoder(bytes.NewReader(frame(name)))
		d.DisallowUnknownFields()
		if err := d.Decode(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"load.json", "load-unicode-env.json", "load-with-code.json"} {
		var l Load
		into(name, &l)
		out, err := json.Marshal(l)
		if err != nil || !reflect.DeepEqual(decoded(t, out), decoded(t, frame(name))) {
			t.Errorf("%s: written as %s, %v", name, out, err)
		}
	}
	for _, name := range []string{"invoke-json.json", "invoke-empty.json", "invoke-http.json"} {
		var i Invoke
		into(name, &i)
		if out := i.appendJSON(nil); !reflect.DeepEqual(decoded(t, out), decoded(t, frame(name))) {
			t.Errorf("%s: written as %s", name, out)
		}
	}
	into("hello.json", &Hello{})
	into("ready.json", &Ready{})
	into("result-http.json", &Result{})
	into("error-handler.json", &Error{})
	into("log.json", &Log{})
}
