package triage

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strings"

	"hearth"
)

// Case is what tells a failure from others.
type Case struct {
	Fingerprint string // 16 hexadecimal digits
	Frame       string // where in the function's own code, "main.py:12 in handler"; "" if the trace doesn't say
}

// Of returns the case of a failure. Exceptions of a function are told apart by
// type, message and place; what else can go wrong by its code alone.
//
// The line is not part of the fingerprint: the next version, in which it has
// moved, doesn't bring a new failure. The message is, with what varies in it
// left out, because many programs throw one type from one function for all
// that can go wrong.
func Of(e *hearth.Error) Case {
	if e.Code != hearth.CodeFunctionError && e.Code != hearth.CodeFunctionReply {
		return Case{Fingerprint: digest(string(e.Code))}
	}
	f := topFrame(e.Trace)
	return Case{
		Fingerprint: digest(string(e.Code), e.Type, f.file, f.function, Shape(e.Message)),
		Frame:       f.String(),
	}
}

func digest(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:8])
}

// What varies in a message.
var (
	quotedRE = regexp.MustCompile("(^|[^\\pL\\pN])(?:'[^']{0,300}'|\"[^\"]{0,300}\"|`[^`]{0,300}`|‘[^’]{0,300}’|“[^”]{0,300}”)")
	urlRE    = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s'"<>]+`)
	emailRE  = regexp.MustCompile(`[^\s@'"<>(),:;]+@[^\s@'"<>(),:;]+\.[a-zA-Z]+`)
	numberRE = regexp.MustCompile(`[\pL\pN_.%+-]*\pN[\pL\pN_.%+-]*`) // any word with a digit: ids, hashes, sizes
	longRE   = regexp.MustCompile(`[\pL\pN_=+/-]{40,}`)              // tokens without a digit
	listRE   = regexp.MustCompile(`\*(?:\s*[,;]\s*\*)+`)             // of any length
	spaceRE  = regexp.MustCompile(`\s+`)
)

// maxShape is how much of a message counts, in bytes.
const maxShape = 200

// Shape is a message without what varies from one failure to the next: numbers,
// ids, addresses, whatever stands in quotes.
func Shape(message string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(message), "\n")
	line = strings.ToValidUTF8(line[:min(len(line), 4*maxShape)], "")
	for _, re := range []*regexp.Regexp{urlRE, emailRE} {
		line = re.ReplaceAllString(line, "*")
	}
	line = quotedRE.ReplaceAllString(line, "$1*")
	for _, re := range []*regexp.Regexp{numberRE, longRE, listRE} {
		line = re.ReplaceAllString(line, "*")
	}
	line = spaceRE.ReplaceAllString(line, " ")
	return strings.ToValidUTF8(line[:min(len(line), maxShape)], "")
}
