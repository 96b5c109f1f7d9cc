package capture

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// hidden stands where a secret was.
const hidden = "[redacted]"

// redactor takes secrets out of texts and remembers what it took.
type redactor struct{ took []string }

// maxTook bounds the list: hostile texts are full of passwords.
const maxTook = 50

func (r *redactor) note(kind, name string) {
	name = strings.ToLower(strings.ToValidUTF8(name, "\ufffd"))
	if len(name) > 80 {
		name = strings.ToValidUTF8(name[:80], "") + "…"
	}
	what := strings.TrimSpace(kind + " " + name)
	if len(r.took) < maxTook && !slices.Contains(r.took, what) {
		r.took = append(r.took, what)
	}
}

// headers returns a copy without secrets.
func (r *redactor) headers(h map[string][]string) map[string][]string {
	if h == nil {
		return nil
	}
	out := make(map[string][]string, len(h))
	for name, values := range h {
		kept := make([]string, len(values))
		for i, v := range values {
			if secretHeader(name) && v != "" {
				kept[i] = hidden
				r.note("header", name)
			} else {
				kept[i] = r.text("header", v, 0)
			}
		}
		out[strings.ToValidUTF8(name, "\ufffd")] = kept
	}
	return out
}

// query takes secrets out of the query of a URL, or a form's body.
func (r *redactor) query(kind, q string, secret func(string) bool, depth int) string {
	if !strings.Contains(q, "=") {
		return q
	}
	var b strings.Builder
	for len(q) > 0 {
		end := strings.IndexAny(q, "&;")
		pair, sep := q, ""
		if end >= 0 {
			pair, sep = q[:end], q[end:end+1]
		}
		q = q[len(pair)+len(sep):]
		b.WriteString(r.pair(kind, pair, secret, depth))
		b.WriteString(sep)
	}
	return b.String()
}

func (r *redactor) pair(kind, pair string, secret func(string) bool, depth int) string {
	name, value, ok := strings.Cut(pair, "=")
	if !ok {
		return pair
	}
	decoded := unescape(name)
	inner := unescape(value)
	if secret(decoded) {
		if !secretValue(decoded, inner) {
			return pair
		}
		r.note(kind, decoded[strings.LastIndexAny(decoded, "?/")+1:])
		return name + "=" + url.QueryEscape(hidden)
	}
	if clean := r.text(kind, inner, depth+1); clean != inner {
		return name + "=" + url.QueryEscape(clean)
	}
	return pair
}

// unescape decodes as far as it can: what isn't an escape stays.
func unescape(s string) string {
	if u, err := url.QueryUnescape(s); err == nil {
		return u
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if u, err := url.QueryUnescape(s[i : i+3]); err == nil {
				b.WriteString(u)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// maxDepth is how often a text may hold another one: JSON in a string of JSON in
// a form. What is deeper goes altogether, if it is anything but plain words.
const maxDepth = 8

// No pair of a name and a secret is shorter than "pin=1", and none of the shaped
// ones than "bearer x".
const (
	minSecret = 5
	minShaped = 12
)

// form has the shape of a form's body, or of a query.
var formRE = regexp.MustCompile(`^[^=&\s{}"<>]{1,200}=[^\s"<>{}]*(?:&|$)`)

// text takes secrets out of a text of any kind. It is tried as all that it could
// be: JSON also where it is cut off or broken, a form, pairs in running text,
// XML. What it does to a text twice is what it does once.
func (r *redactor) text(kind, s string, depth int) string {
	if depth > maxDepth {
		if !strings.ContainsAny(s, ":=%<\"\\") {
			return s
		}
		r.note(kind, "too deep to read")
		return hidden
	}
	if len(s) < minSecret || (len(s) < minShaped && !strings.ContainsAny(s, ":=<")) {
		return s // most members of a document
	}
	if strings.IndexByte(s, '"') >= 0 {
		s = r.json(kind, s, depth)
	} else if formRE.MatchString(s) {
		s = r.query(kind, s, secretName, depth)
	}
	return r.shapes(kind, r.loose(kind, s))
}

// json takes secrets out of JSON. It goes from string to string and needs no
// more of a document than a name, a colon and what follows.
func (r *redactor) json(kind, s string, depth int) string {
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if s[i] != '"' {
			b.WriteByte(s[i])
			i++
			continue
		}
		end, whole := stringEnd(s, i)
		token := s[i:end]
		text, ok := decodeString(token, whole)
		colon := skipSpace(s, end)
		if whole && ok && colon < len(s) && s[colon] == ':' && secretName(text) {
			from := skipSpace(s, colon+1)
			to := valueEnd(s, from)
			if secretValue(text, s[from:to]) {
				r.note(kind, text)
				b.WriteString(s[i:from])
				b.WriteString(`"` + hidden + `"`)
				i = to
				continue
			}
		}
		if ok && depth <= maxDepth {
			if clean := r.text(kind, text, depth+1); clean != text {
				token = encodeString(clean, whole)
			}
		}
		b.WriteString(token)
		i = end
	}
	return b.String()
}

// stringEnd returns where the string that begins at i ends, and whether it has
// an end.
func stringEnd(s string, i int) (end int, whole bool) {
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '\\':
			j++
		case '"':
			return j + 1, true
		}
	}
	return len(s), false
}

func skipSpace(s string, i int) int {
	for i < len(s) && (s[i] == ' ' || s[i] == '\t' || s[i] == '\n' || s[i] == '\r') {
		i++
	}
	return i
}

// valueEnd returns where the value that begins at i ends. One that is cut off
// ends with the text.
func valueEnd(s string, i int) int {
	depth := 0
	for i < len(s) {
		switch c := s[i]; c {
		case '"':
			i, _ = stringEnd(s, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i
			}
			depth--
			if depth == 0 {
				return i + 1
			}
		case ',', '\n':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}

// decodeString returns what a string of JSON says. One without an end loses an
// escape that is cut off.
func decodeString(token string, whole bool) (string, bool) {
	if !whole {
		if i := strings.LastIndexByte(token, '\\'); i >= 0 && len(token)-i < 12 { // it may be one half of a pair
			j := i
			for j > 0 && token[j-1] == '\\' {
				j--
			}
			if (i-j)%2 == 0 && !json.Valid([]byte(token+`"`)) {
				token = token[:i]
			}
		}
		token += `"`
	}
	var s string
	if json.Unmarshal([]byte(token), &s) == nil {
		return s, true
	}
	// Raw line ends and the like: to be read all the same.
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`, `\/`, `/`, `\n`, "\n", `\t`, "\t").Replace(strings.Trim(token, `"`)), true
}

func encodeString(s string, whole bool) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(s) != nil {
		return `"` + hidden + `"`
	}
	out := strings.TrimSuffix(b.String(), "\n")
	if !whole {
		out = strings.TrimSuffix(out, `"`)
	}
	return out
}

var (
	// An element of XML with its text.
	elementRE = regexp.MustCompile(`<([\w:.\-]+)(?:\s[^<>]*)?>([^<]+)`)
	// A part of a form with files.
	partRE = regexp.MustCompile(`(?is)(name="([^"\r\n]{1,100})"[^\r\n]*(?:\r?\n[^\r\n]+)*\r?\n\r?\n)(.*?)(\r?\n--|$)`)
)

// loose takes secrets out of what is neither JSON nor a form.
func (r *redactor) loose(kind, s string) string {
	if strings.Contains(s, "form-data") {
		s = replace(partRE, s, func(m []string) string {
			if !secretName(m[2]) || !secretValue(m[2], m[3]) {
				return m[0]
			}
			r.note(kind, m[2])
			return m[1] + hidden + m[4]
		})
	}
	s = r.pairs(kind, s)
	if strings.IndexByte(s, '<') < 0 {
		return s
	}
	return replace(elementRE, s, func(m []string) string {
		if !secretName(m[1]) || !secretValue(m[1], strings.TrimSpace(m[2])) {
			return m[0]
		}
		r.note(kind, m[1])
		return strings.TrimSuffix(m[0], m[2]) + hidden
	})
}

// pairs takes secrets out of running text: it looks at each colon and equals
// sign, and at the name before it.
func (r *redactor) pairs(kind, s string) string {
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); i++ {
		if s[i] != ':' && s[i] != '=' {
			continue
		}
		name, ok := nameBefore(s[done:i])
		if !ok {
			continue
		}
		from := i + 1
		if from < len(s) && s[i] == '=' && s[from] == '>' {
			from++
		}
		for n := 0; n < 8 && from < len(s) && (s[from] == ' ' || s[from] == '\t'); n++ {
			from++
		}
		to, open, end := looseValue(s, from)
		if to == from || !secretValue(name, strings.Trim(s[from:to], `\`)) || strings.HasPrefix(s[from+len(open):], hidden) {
			continue
		}
		r.note(kind, name)
		b.WriteString(s[done:from])
		b.WriteString(open + hidden + end)
		done, i = to, to-1
	}
	if done == 0 {
		return s
	}
	b.WriteString(s[done:])
	return b.String()
}

// maxName is how long the name of a secret in running text can be.
const maxName = 80

// nameBefore returns the name at the end of s, and whether it is a secret's.
func nameBefore(s string) (string, bool) {
	end := len(s)
	for n := 0; n < 12 && end > 0 && strings.IndexByte(" \t\"'\\", s[end-1]) >= 0; n++ {
		end--
	}
	begin := end
	for begin > 0 && end-begin < maxName && nameByte(s[begin-1]) {
		begin--
	}
	name := s[begin:end]
	if name == "" {
		return "", false
	}
	if secretName(name) {
		return name, true
	}
	// Two words: "api key", "session id".
	if begin > 1 && (s[begin-1] == ' ') && nameByte(s[begin-2]) {
		first := begin - 1
		for first > 0 && begin-first < 20 && nameByte(s[first-1]) {
			first--
		}
		p := plain(s[first:end])
		for _, w := range []string{"key", "id", "number", "card", "string", "code"} {
			if plain(name) == w && p != w && secretName(p) {
				return s[first:end], true
			}
		}
	}
	return "", false
}

func nameByte(c byte) bool {
	return c == '_' || c == '-' || c == '.' || c == '[' || c == ']' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// looseValue returns where the value that begins at from ends, and the marks
// around it.
func looseValue(s string, from int) (to int, open, end string) {
	i := from
	for i < len(s) && s[i] == '\\' {
		i++
	}
	switch {
	case i == len(s):
		return i, "", ""
	case s[i] == '"' || s[i] == '\'':
		mark := s[from : i+1] // with its backslashes: it may stand within a string
		n := strings.Index(s[i+1:], mark)
		for n > 0 && len(mark) == 1 && s[i+n] == '\\' { // escaped
			next := strings.Index(s[i+1+n+1:], mark)
			if next < 0 {
				n = -1
				break
			}
			n += 1 + next
		}
		if n < 0 {
			return len(s), mark, ""
		}
		return i + 1 + n + len(mark), mark, mark
	case s[i] == '{' || s[i] == '[':
		return valueEnd(s, i), `"`, `"`
	}
	i = from
	for _, scheme := range []string{"bearer ", "basic ", "digest ", "token "} {
		if len(s)-i > len(scheme) && strings.EqualFold(s[i:i+len(scheme)], scheme) {
			i += len(scheme)
			break
		}
	}
	for i < len(s) && strings.IndexByte(" \t\r\n,;&\"'<>{}[]()\\", s[i]) < 0 {
		i++
	}
	return i, "", ""
}

// shaped are secrets that are known by their form.
var shaped = []struct {
	name  string
	signs []string // one of these is in each of them
	re    *regexp.Regexp
}{
	{"bearer token", []string{"earer", "EARER"}, regexp.MustCompile(`(?i)(\bbearer\s+)([\w\-.~+/]{8,}=*)`)},
	{"basic credentials", []string{"asic", "ASIC"}, regexp.MustCompile(`(?i)(\bbasic\s+)([A-Za-z0-9+/]{8,}=*)`)},
	{"JSON web token", []string{"eyJ"}, regexp.MustCompile(`()(\beyJ[\w\-]{8,}\.[\w\-]{8,}(?:\.[\w\-]*)?)`)},
	{"private key", []string{"PRIVATE KEY"}, regexp.MustCompile(`(?s)()(-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))`)},
	{"password of a URL", []string{"://"}, regexp.MustCompile(`(://[^\s/:@"'<>]*:)([^\s/@"'<>]+)@`)},
	{"key of Hearth", []string{"hk_"}, regexp.MustCompile(`()(\bhk_[A-Za-z0-9_\-]{16,})`)},
	{"key of AWS", []string{"AK"}, regexp.MustCompile(`()(\bAKIA[A-Z0-9]{16}\b)`)},
	{"token of GitHub", []string{"gh"}, regexp.MustCompile(`()(\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,})`)},
	{"token of Slack", []string{"xox"}, regexp.MustCompile(`()(\bxox[abeoprs]-[A-Za-z0-9\-]{10,})`)},
	{"key of an API", []string{"k_"}, regexp.MustCompile(`()(\b[sr]k_(?:live|test)_[A-Za-z0-9]{10,})`)},
	{"key of an API", []string{"sk-"}, regexp.MustCompile(`()(\bsk-[A-Za-z0-9_\-]{20,})`)},
	{"key of Google", []string{"AIza"}, regexp.MustCompile(`()(\bAIza[A-Za-z0-9_\-]{30,})`)},
}

func (r *redactor) shapes(kind, s string) string {
	for _, sh := range shaped {
		if !slices.ContainsFunc(sh.signs, func(sign string) bool { return strings.Contains(s, sign) }) {
			continue
		}
		s = replace(sh.re, s, func(m []string) string {
			if strings.Contains(m[2], hidden) || strings.Contains(m[2], url.QueryEscape(hidden)) {
				return m[0]
			}
			r.note(kind, sh.name)
			return m[1] + hidden + m[0][len(m[1])+len(m[2]):]
		})
	}
	return s
}

// replace replaces all matches of re by what f makes of each and its groups.
func replace(re *regexp.Regexp, s string, f func(m []string) string) string {
	var b strings.Builder
	last := 0
	for _, at := range re.FindAllStringSubmatchIndex(s, -1) {
		m := make([]string, len(at)/2)
		for i := range m {
			if at[2*i] >= 0 {
				m[i] = s[at[2*i]:at[2*i+1]]
			}
		}
		b.WriteString(s[last:at[0]])
		b.WriteString(f(m))
		last = at[1]
	}
	if last == 0 {
		return s
	}
	b.WriteString(s[last:])
	return b.String()
}

// valid returns whether a text can be kept as text.
func valid(s string) bool { return utf8.ValidString(s) && !strings.ContainsRune(s, 0) }
