package wire_test

import (
	"strings"
	"testing"

	"hearth/internal/wire"
)

// Each failure of a function's code says what to do next.
func TestErrorsSayWhatToDoNext(t *testing.T) {
	for _, c := range []struct {
		err  wire.Error
		want string
	}{
		{wire.Error{Kind: "import", Type: "ModuleNotFoundError", Message: "No module named 'requests'"}, "pip install --target . requests"},
		{wire.Error{Kind: "import", Type: "ModuleNotFoundError", Message: "No module named 'google.cloud'"}, "pip install --target . google"},
		{wire.Error{Kind: "import", Type: "Error", Message: "Cannot find package 'lodash' imported from /code/index.mjs"}, "npm install lodash`"},
		{wire.Error{Kind: "import", Type: "Error", Message: "Cannot find module 'lodash/fp'\nRequire stack:"}, "npm install lodash`"},
		{wire.Error{Kind: "import", Type: "Error", Message: "Cannot find package '@aws-sdk/client-s3/x' imported"}, "npm install @aws-sdk/client-s3`"},
		{wire.Error{Kind: "import", Type: "Error", Message: "Cannot find module './mine'"}, "mend the line"},
		{wire.Error{Kind: "import", Type: "Error", Message: "Cannot find module '/code/mine.mjs' imported"}, "mend the line"},
		{wire.Error{Kind: "import", Type: "KeyError", Message: "'A'", Trace: "x = os.environ[\"API_KEY\"]\n"}, "--env API_KEY=VALUE"},
		{wire.Error{Kind: "import", Type: "SyntaxError", Message: "expected ':'"}, "mend that line"},
		{wire.Error{Kind: "handler", Type: "TypeError", Message: "handler() takes 0 positional arguments but 2 were given"}, "def handler(event, context)"},
		{wire.Error{Kind: "handler", Type: "TypeError", Message: "handler() takes 1 positional argument but 2 were given"}, "def handler(event, context)"},
		{wire.Error{Kind: "handler", Type: "TypeError", Message: "handler() missing 1 required positional argument: 'x'"}, "def handler(event, context)"},
		{wire.Error{Kind: "no_module"}, "--handler"},
		{wire.Error{Kind: "no_handler"}, "--handler"},
		{wire.Error{Kind: "reply"}, "JSON"},
		{wire.Error{Kind: "exit"}, "return from the handler"},
	} {
		if got := c.err.Hearth().Hint; !strings.Contains(got, c.want) {
			t.Errorf("%s %s: %q: the hint is %q, not %q", c.err.Kind, c.err.Type, c.err.Message, got, c.want)
		}
	}
	for _, e := range []wire.Error{
		{Kind: "handler", Type: "TypeError", Message: "unsupported operand"},
		{Kind: "handler", Type: "ValueError", Message: "no"},
	} {
		if got := e.Hearth().Hint; got != "" {
			t.Errorf("%s: a hint for what nobody can know: %q", e.Message, got)
		}
	}
}
