package runtime

import (
	"context"
	"io/fs"

	"hearth"
)

// Language is one language. Implementations are immutable.
type Language interface {
	// Name is "python" or "nodejs".
	Name() string
	// Aliases are other spellings that users may write: "javascript", "node".
	Aliases() []string
	// Detect finds the interpreters of this host, best first, and writes the
	// shim below dir (where it may stay). An empty result is no error; why
	// nothing was found is in the note.
	Detect(ctx context.Context, dir string) (rs []hearth.Runtime, note string, err error)
	// Owns reports whether a bundle looks like this language's, by its files.
	Owns(code fs.FS) bool
	// Handler guesses the handler of a bundle that names none. It fails with
	// CodeInvalid and the candidates in the hint.
	Handler(code fs.FS) (string, error)
	// Check looks at a bundle with its handler before it is ever run and says
	// what is certainly wrong (no such module, syntax that the name forbids).
	Check(code fs.FS, handler string) error
}
