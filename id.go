package hearth

import (
	"regexp"
	"strings"
)

// nameRE is what a function may be called: it becomes a path segment, a label
// of a metric and a part of directory names, so it is kept to the safe subset
// of RFC 1123 labels.
var nameRE = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidateName reports, as an [Error] with code [CodeInvalid], why s can't be
// the name of a function.
func ValidateName(s string) error {
	if nameRE.MatchString(s) {
		return nil
	}
	return Errorf(CodeInvalid, "%q can't be a function's name", s).
		WithHint("use 1 to 63 lower-case letters, digits and inner dashes, for example %q", suggestName(s)).
		WithField("name")
}

// suggestName turns s into the nearest legal name.
func suggestName(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() == 63 {
			break
		}
	}
	if out := strings.Trim(b.String(), "-"); out != "" {
		return out
	}
	return "my-function"
}

// handlerRE is a handler's name: module path and function, joined by dots; the
// module part may hold directories.
var handlerRE = regexp.MustCompile(`^[A-Za-z_$][\w$-]*([./][A-Za-z_$][\w$-]*)*\.[A-Za-z_$][\w$]*$`)

// ValidateHandler reports, as an [Error] with code [CodeInvalid], why s can't
// name a handler. A handler is "module.function", "pkg.mod.fn" or "dir/mod.fn".
func ValidateHandler(s string) error {
	if handlerRE.MatchString(s) {
		return nil
	}
	return Errorf(CodeInvalid, "%q can't be a handler", s).
		WithHint("write module.function, for example main.handler for the function handler in main.py or main.js").
		WithField("handler")
}
