package rest

import "hearth"

// Template is a function to start from. Name, Config, Files and Handler make a
// deploy: pack the files, and give the function a name of its own if that one is
// taken.
type Template struct {
	Name        string           `json:"name"`
	Title       string           `json:"title"`
	Description string           `json:"description"`
	Language    string           `json:"language" doc:"python or nodejs"`
	Runtime     string           `json:"runtime" doc:"what it would run on here; nothing if this host lacks the language"`
	Handler     string           `json:"handler"`
	Config      DeployConfig     `json:"config" doc:"as the deploy takes it; without routes, which may be taken"`
	Files       []TemplateFile   `json:"files" doc:"the code, to be edited: every file that the function needs, and no other"`
	Event       hearth.TestEvent `json:"event" doc:"a call to try it with"`
}

// TemplateFile is a file of a template: text, or what is no text as base64.
type TemplateFile struct {
	Path   string  `json:"path"`
	Text   *string `json:"text"`
	Base64 *string `json:"base64"`
}
