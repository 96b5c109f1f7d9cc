package hearth

// Event is what a handler is called with. Exactly one of HTTP and the plain
// body is meant: with HTTP set, Body is the request's body.
type Event struct {
	HTTP *HTTPRequest
	Body []byte // raw; for a plain event the JSON document, empty means null
}

// HTTPRequest is the head of an HTTP event. The shim turns it into the event
// of payload format 2.0 that AWS Lambda documents for its function URLs.
type HTTPRequest struct {
	Method   string              `json:"method"`
	Path     string              `json:"path"`     // decoded, what the function sees: below /fn/{name}
	RawPath  string              `json:"raw_path"` // as sent, with the route's prefix
	RawQuery string              `json:"raw_query"`
	Headers  map[string][]string `json:"headers"` // the gateway's own key is taken out
	Host     string              `json:"host"`
	Scheme   string              `json:"scheme"`
	Protocol string              `json:"protocol"` // "HTTP/1.1"
	SourceIP string              `json:"source_ip"`
	Route    string              `json:"route"` // the route that matched, "$default" for /fn/{name}
}
