package hearth_test

import (
	"strings"
	"testing"

	"hearth"
)

func TestMessagesOfDeploys(t *testing.T) {
	for s, ok := range map[string]bool{
		"": true, "Fix the lamp": true, strings.Repeat("ö", 200): true,
		strings.Repeat("a", 201): false, "two\nlines": false, "\x1b[2J": false, "\xff": false,
	} {
		err := hearth.ValidateMessage(s)
		if ok && err != nil || !ok && (hearth.ErrorCode(err) != hearth.CodeInvalid || hearth.AsError(err).Field != "message" || hearth.AsError(err).Hint == "") {
			t.Errorf("%.20q: %v", s, err)
		}
	}
}
