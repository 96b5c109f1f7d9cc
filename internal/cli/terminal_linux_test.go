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

// On a terminal top stays, does what keys say, and leaves all as it was.
func TestTopOnATerminal(t *testing.T) {
	e := servertest.Start(t)
	e.Deploy("hello", rest.DeployConfig{})
	s := newShell(t, e)
	s.must("invoke", "hello", "-d", "1")
	keyboard, screen := mustPTY(t)
	if err := unix.IoctlSetWinsize(int(keyboard.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 12, Col: 80}); err != nil {
		t.Fatal(err)
	}
	before, err := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	s.out, s.in = screen, screen
	done := make(chan result, 1)
	go func() { done <- s.run("top", "--every", "100ms", "--no-color") }()
	seen := &strings.Builder{}
	buf := make([]byte, 64<<10)
	await := func(text string) string {
		t.Helper()
		for !strings.Contains(seen.String(), text) {
			n, err := keyboard.Read(buf)
			if err != nil {
				t.Fatalf("%q never came: %v\n%q", text, err, seen)
			}
			seen.Write(buf[:n])
		}
		defer seen.Reset()
		return seen.String()
	}
	press := func(key string) {
		t.Helper()
		if _, err := keyboard.WriteString(key); err != nil {
			t.Fatal(err)
		}
	}
	await("\x1b[?1049h")
	await("RATE▾")
	press("s")
	await("ERRORS▾")
	press("r")
	await("ERRORS▴")
	press("\t")
	await("SANDBOX ")
	press("\t")
	screenful := await("q quit")
	wants(t, screenful, "hello")
	for _, frame := range strings.Split(screenful, "\x1b[H") {
		if n := strings.Count(frame, "\n"); n > 11 {
			t.Errorf("a frame has %d lines on a screen of 12:\n%q", n+1, frame)
		}
	}
	press("q")
	await("\x1b[?1049l")
	if r := <-done; r.code != ExitOK {
		t.Errorf("exit code %d: %s", r.code, r.err)
	}
	after, err := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
	if err != nil || *after != *before {
		t.Errorf("the terminal is left as %+v, %v", after, err)
	}
}
