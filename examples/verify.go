package examples

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
)

// Payload returns the bytes of the request's body in the example's folder.
func (r Request) Payload(example string) ([]byte, error) {
	if r.File == "" {
		return []byte(r.Body), nil
	}
	body, err := folders.ReadFile(example + "/" + r.File)
	if err != nil {
		return nil, fmt.Errorf("read the body of a check of %s: %w", example, err)
	}
	return body, nil
}

// Verify compares a reply and says what differs first, nil if nothing does.
func (e Expect) Verify(status int, header http.Header, body []byte) error {
	if e.Status != 0 && status != e.Status {
		return fmt.Errorf("status %d, want %d; body: %.300q", status, e.Status, body)
	}
	for name, want := range e.Headers {
		if got := header.Get(name); got != want {
			return fmt.Errorf("header %s is %q, want %q", name, got, want)
		}
	}
	if e.Body != nil && string(body) != *e.Body {
		return fmt.Errorf("body %q, want %q", body, *e.Body)
	}
	for _, part := range e.Contains {
		if !strings.Contains(string(body), part) {
			return fmt.Errorf("body %q doesn't contain %q", body, part)
		}
	}
	if e.PrefixHex != "" {
		prefix, err := hex.DecodeString(e.PrefixHex)
		if err != nil {
			return fmt.Errorf("read prefix_hex: %w", err)
		}
		if !bytes.HasPrefix(body, prefix) {
			return fmt.Errorf("body starts with %x, want %x", body[:min(len(body), len(prefix))], prefix)
		}
	}
	return e.verifyJSON(body)
}

// verifyJSON compares values: the expected one takes the way through JSON too,
// so that 1 and 1.0 are the same.
func (e Expect) verifyJSON(body []byte) error {
	if e.JSON == nil {
		return nil
	}
	text, err := json.Marshal(e.JSON)
	if err != nil {
		return fmt.Errorf("read the expected JSON: %w", err)
	}
	var want, got any
	if err := json.Unmarshal(text, &want); err != nil {
		return fmt.Errorf("read the expected JSON: %w", err)
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return fmt.Errorf("body %.300q is not JSON: %w", body, err)
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Errorf("body %s, want %s", body, text)
	}
	return nil
}
