package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
)

// readSecret asks a person without showing the answer, or reads a line.
func (a *App) readSecret(prompt string) (string, error) {
	if f, ok := a.In.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		fmt.Fprint(a.Err, prompt)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(a.Err)
		if err != nil {
			return "", usage("read the key: %w", err)
		}
		return strings.TrimSpace(string(b)), nil
	}
	line, err := bufio.NewReader(a.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", usage("read the key: %w", err)
	}
	if line = strings.TrimSpace(line); line == "" {
		return "", usage("no key was given").WithHint("give it by --key, $HEARTH_API_KEY or standard input")
	}
	return line, nil
}
