package triage

import (
	"regexp"
	"strings"

	"hearth"
)

// frame is a place in a function's code.
type frame struct{ file, line, function string }

// String returns "main.py:12 in handler".
func (f frame) String() string {
	if f.file == "" {
		return ""
	}
	s := f.file + ":" + f.line
	if f.function != "" {
		s += " in " + f.function
	}
	return s
}

var (
	// `  File "/code/main.py", line 12, in handler`, within groups of exceptions behind a bar.
	pythonRE = regexp.MustCompile(`^[\s|+]*File "([^"]+)", line (\d+)(?:, in (.+))?$`)
	// `    at async handler (/code/index.mjs:3:9)`, `    at /code/index.mjs:3:9`
	nodeRE = regexp.MustCompile(`^\s+at (?:(.+) \()?(?:file://)?(/[^()]+):(\d+):\d+\)?$`)
	// `/code/index.mjs:3`, above the line that doesn't parse.
	syntaxRE = regexp.MustCompile(`^(?:file://)?(/\S+):(\d+)$`)
	prefixRE = regexp.MustCompile(`^(?:async |new |Module\.|Object\.|global\.|exports\.)+`)
)

// What begins another exception than the one that was thrown.
const (
	pythonCause   = "The above exception was the direct cause of the following exception:"
	pythonContext = "During handling of the above exception, another exception occurred:"
	nodeCause     = "Caused by: "
)

const (
	maxTrace = 64 << 10
	maxName  = 120 // of a function, in bytes
)

// topFrame returns the innermost frame in a function's own code, as against the
// language and packages that came along with the code.
func topFrame(trace string) (top frame) {
	python, caused := false, false
	for line := range strings.Lines(trace[:min(len(trace), maxTrace)]) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == pythonCause || line == pythonContext:
			top = frame{} // what follows is the exception that came out
			continue
		case strings.HasPrefix(line, nodeCause):
			caused = true // what follows is what led to it
			continue
		}
		if !strings.Contains(line, hearth.CodeMount+"/") {
			python = python || strings.HasPrefix(line, "Traceback")
			continue
		}
		if m := pythonRE.FindStringSubmatch(line); m != nil { // outermost first
			python = true
			if file, ok := own(m[1]); ok {
				top = frame{file, m[2], name(m[3])}
			}
			continue
		}
		if python || caused || top.function != "" || (top.file != "" && top.line != "") {
			continue
		}
		if m := nodeRE.FindStringSubmatch(line); m != nil { // innermost first
			if file, ok := own(m[2]); ok {
				top = frame{file, m[3], name(m[1])}
			}
		} else if m := syntaxRE.FindStringSubmatch(line); m != nil {
			if file, ok := own(m[1]); ok {
				top = frame{file: file, line: m[2]}
			}
		}
	}
	return top
}

// own returns a path within the function's code, false for what it only uses.
func own(path string) (string, bool) {
	path, ok := strings.CutPrefix(path, hearth.CodeMount+"/")
	if !ok {
		return "", false
	}
	for part := range strings.SplitSeq(path, "/") {
		switch part {
		case "node_modules", "site-packages", "dist-packages", "vendor", ".venv", "venv":
			return "", false
		}
	}
	return path, true
}

func name(s string) string {
	s = prefixRE.ReplaceAllString(s, "")
	s, _, _ = strings.Cut(s, " [as ")
	return strings.ToValidUTF8(s[:min(len(s), maxName)], "")
}
