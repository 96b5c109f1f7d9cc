package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

// On a terminal there are tables and colours, unless these aren't wanted.
func TestTerminal(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	for _, c := range []struct {
		name  string
		env   map[string]string
		args  []string
		color bool
	}{
		{"colours", nil, nil, true},
		{"NO_COLOR", map[string]string{"NO_COLOR": "1"}, nil, false},
		{"dumb", map[string]string{"TERM": "dumb"}, nil, false},
		{"flag", nil, []string{"--no-color"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newShell(t, e)
			for k, v := range c.env {
				s.env[k] = v
			}
			keyboard, screen := mustPTY(t)
			s.out = screen
			s.must(append(c.args, "get", "hello")...)
			buf := make([]byte, 64<<10)
			n, err := keyboard.Read(buf)
			if err != nil {
				t.Fatal(err)
			}
			text := string(buf[:n])
			wants(t, text, "hello")
			if strings.Contains(text, "\x1b[") != c.color {
				t.Errorf("the terminal gets %q", text)
			}
		})
	}
}

// mustPTY opens a terminal: what is written to screen is read from keyboard.
func mustPTY(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("CI has terminals: %v", err)
		}
		t.Skipf("this host gives no terminal: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	fd := int(keyboard.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	return keyboard, screen
}
