package rest

import "time"

// The kinds of TestEvent.
const (
	TestEventJSON = "json" // for the invoke operation: Body is the document
	TestEventHTTP = "http" // for the function's address: Body is the request's
)

// TestEvent is a call that is kept to make it again.
type TestEvent struct {
	Name    string            `json:"name" doc:"1 to 63 characters, without slashes"`
	Kind    string            `json:"kind" enum:"json,http" doc:"json for the invoke operation, http for the function's address"`
	Method  string            `json:"method,omitempty" doc:"http: the method"`
	Path    string            `json:"path,omitempty" doc:"http: below the function's address, with its query: /items?q=1"`
	Headers map[string]string `json:"headers,omitempty" doc:"http: the headers"`
	Body    string            `json:"body" doc:"json: the document; http: the body as text, or base64"`
	Base64  bool              `json:"base64,omitempty" doc:"http: the body is bytes, written in base64"`

	Shared    bool      `json:"shared" doc:"others see it too; without it only who wrote it"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	UpdatedBy string    `json:"updated_by,omitempty" doc:"user's name"`
}
