package rest

// VersionFiles is the code of a version as people look at it.
type VersionFiles struct {
	Files     []VersionFile `json:"files" doc:"by path"`
	Truncated bool          `json:"truncated" doc:"there are more files, or more text, than one reply holds; the download has all"`
}

// VersionFile is a file of a version.
type VersionFile struct {
	Path       string  `json:"path"`
	Bytes      int64   `json:"bytes"`
	Text       *string `json:"text" doc:"null if it is no text or over 256 KiB"`
	Executable bool    `json:"executable"`
	Link       string  `json:"link,omitempty" doc:"where a symbolic link leads"`
}
