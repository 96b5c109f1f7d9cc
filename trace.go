package hearth

import "strings"

// TraceID returns the trace that a W3C traceparent belongs to, "" if s isn't one.
func TraceID(s string) string {
	const version00 = len("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	switch {
	case len(s) < version00 || s[2] != '-' || s[35] != '-' || s[52] != '-':
		return ""
	case s[:2] == "00" && len(s) != version00, len(s) > version00 && s[version00] != '-':
		return "" // later versions may say more, after a dash
	case !isHex(s[:2]) || s[:2] == "ff" || !isHex(s[3:35]) || !isHex(s[36:52]) || !isHex(s[53:55]):
		return ""
	case strings.Trim(s[3:35], "0") == "" || strings.Trim(s[36:52], "0") == "":
		return ""
	}
	return s[3:35]
}

// isHex reports whether s is made of lower-case hexadecimal digits.
func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
