package rest

import (
	"time"

	"hearth"
)

// PutTestEvent asks to keep a test event. The last members are there so that an
// event can be sent as it was read.
type PutTestEvent struct {
	Kind    hearth.TestEventKind `json:"kind" enum:"json,http" doc:"json for the invoke operation, http for the function's address"`
	Method  string               `json:"method,omitempty" doc:"http: the method; GET if not given"`
	Path    string               `json:"path,omitempty" doc:"http: below the function's address, with its query: /items?q=1"`
	Headers map[string]string    `json:"headers,omitempty" doc:"http: the headers"`
	Body    string               `json:"body,omitempty" doc:"json: the document; http: the body as text, or base64"`
	Base64  bool                 `json:"base64,omitempty" doc:"http: the body is bytes, written in base64"`

	Name      string    `json:"name,omitempty" doc:"as in the address, if given"`
	Shared    *bool     `json:"shared,omitempty" doc:"true, if given"`
	UpdatedAt time.Time `json:"updated_at,omitzero" doc:"ignored"`
	UpdatedBy string    `json:"updated_by,omitempty" doc:"ignored"`
}
