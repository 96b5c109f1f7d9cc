package hearth

import "time"

// CaptureMode says of which invocations a function's server keeps what they
// were asked and answered.
type CaptureMode string

// The modes.
const (
	CaptureOff     CaptureMode = "off"
	CaptureErrors  CaptureMode = "errors"  // the default: those that failed, see [Outcome.Failed]
	CaptureSampled CaptureMode = "sampled" // those, and now and then one that didn't
)

// Answer is a reply as far as it is known when the invocation is over.
type Answer struct {
	Status  int // 0 for an event that isn't HTTP
	Headers map[string][]string
	Body    []byte // of a stream its beginning
	Bytes   int64  // of the whole
}

// Capture is what an invocation was asked and answered, up to [MaxCapture] bytes
// of each, without what looks like a secret.
type Capture struct {
	Invocation string          `json:"invocation"`
	Function   string          `json:"function"`
	Version    int             `json:"version"`
	At         time.Time       `json:"at"` // of the invocation
	Request    CapturedRequest `json:"request"`
	Reply      *CapturedReply  `json:"reply"`    // null if there was none
	Redacted   []string        `json:"redacted"` // what was taken out of both: "header authorization", "body password"
}

// MaxCapture is how much is kept of a body, in bytes.
const MaxCapture = 8 << 10

// CapturedRequest is the event of an invocation.
type CapturedRequest struct {
	Kind string       `json:"kind"` // "http" or "json"
	HTTP *HTTPRequest `json:"http,omitempty"`
	CapturedBody
	Redacted []string `json:"redacted,omitempty"` // what was taken out of the request
}

// CapturedReply is what the handler answered.
type CapturedReply struct {
	Status  int                 `json:"status"`
	Headers map[string][]string `json:"headers,omitempty"`
	CapturedBody
}

// CapturedBody is the beginning of a body.
type CapturedBody struct {
	Body      string `json:"body"`
	Base64    bool   `json:"base64"`    // Body is that of bytes that aren't text
	Truncated bool   `json:"truncated"` // there was more, or it was of a kind in which secrets can't be found
	Bytes     int64  `json:"bytes"`     // of the whole
}

// Lacks says what the captured event has lost: nothing if it can be sent once
// more as it was.
func (c *Capture) Lacks() []string {
	if c.Request.Truncated {
		return append([]string{"the end of the body"}, c.Request.Redacted...)
	}
	return c.Request.Redacted
}
