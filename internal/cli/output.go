package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
	"golang.org/x/term"

	"hearth"
)

// The forms of output. Table is for people, plain for pipes (tab-separated,
// no heading marks, no colours), JSON for programs.
const (
	formatTable = "table"
	formatPlain = "plain"
	formatJSON  = "json"
)

// printer writes for a person or for a program.
type printer struct {
	w     io.Writer
	color bool
	form  string
}

func (a *App) printer(w io.Writer) *printer {
	tty := isTerminal(w)
	form := a.format
	if form == "" {
		form = formatPlain
		if tty {
			form = formatTable
		}
	}
	return &printer{w: w, form: form, color: tty && !a.noColor && a.Env("NO_COLOR") == "" && a.Env("TERM") != "dumb"}
}

func (a *App) out() *printer { return a.printer(a.Out) }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func (p *printer) printf(format string, args ...any) { fmt.Fprintf(p.w, format, args...) }

// harmless shows what a function wrote without letting it speak to the
// terminal: control characters, with which it could rewrite lines above, set
// the clipboard or type commands, and those that turn the direction of
// writing, are shown as escapes. Line breaks and tabs stay.
func harmless(s string) string {
	if strings.IndexFunc(s, speaks) < 0 && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case !speaks(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// harmlessWriter passes on what harmless makes of what it gets.
type harmlessWriter struct {
	w    io.Writer
	rest []byte // of a character that isn't whole yet
}

func (h *harmlessWriter) Write(p []byte) (int, error) {
	h.rest = append(h.rest, p...)
	whole := len(h.rest)
	for n := 1; n < utf8.UTFMax && n <= len(h.rest); n++ {
		if start := len(h.rest) - n; utf8.RuneStart(h.rest[start]) {
			if !utf8.FullRune(h.rest[start:]) {
				whole = start
			}
			break
		}
	}
	_, err := io.WriteString(h.w, harmless(string(h.rest[:whole])))
	h.rest = append(h.rest[:0], h.rest[whole:]...)
	return len(p), err
}

// Close writes what never became a whole character.
func (h *harmlessWriter) Close() error {
	_, err := io.WriteString(h.w, harmless(string(h.rest)))
	return err
}

func speaks(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r)
}

func (p *printer) json(v any) {
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // a closed pipe has no remedy
}

// jsonLine writes v on one line, as one of many.
func (p *printer) jsonLine(v any) {
	e := json.NewEncoder(p.w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a closed pipe has no remedy
}

// style of the few colours there are, by their ANSI numbers so that the
// terminal's own theme decides.
func (p *printer) style(color, s string, bold bool) string {
	if !p.color || s == "" {
		return s
	}
	st := lipgloss.NewStyle().Bold(bold)
	if color != "" {
		st = st.Foreground(lipgloss.Color(color))
	}
	return st.Render(s)
}

func (p *printer) red(s string) string   { return p.style("1", s, true) }
func (p *printer) green(s string) string { return p.style("2", s, false) }
func (p *printer) amber(s string) string { return p.style("3", s, false) }
func (p *printer) bold(s string) string  { return p.style("", s, true) }
func (p *printer) dim(s string) string {
	if !p.color {
		return s
	}
	// Line by line: a style over several lines would pad them to a block.
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		lines[i] = lipgloss.NewStyle().Faint(true).Render(l)
	}
	return strings.Join(lines, "\n")
}

// list shows items as JSON (the items as they are) or as rows.
func list[T any](p *printer, items []T, headers []string, row func(T) []string, empty string) {
	if p.form == formatJSON {
		if items == nil {
			items = []T{}
		}
		p.json(items)
		return
	}
	if len(items) == 0 {
		if p.form == formatTable {
			p.printf("%s\n", p.dim(empty))
		}
		return
	}
	rows := make([][]string, len(items))
	for i, it := range items {
		rows[i] = row(it)
	}
	p.rows(headers, rows)
}

func (p *printer) rows(headers []string, rows [][]string) {
	if p.form != formatTable {
		tw := tabwriter.NewWriter(p.w, 0, 8, 2, ' ', 0)
		fmt.Fprintln(tw, strings.Join(headers, "\t"))
		for _, r := range rows {
			fmt.Fprintln(tw, strings.Join(r, "\t"))
		}
		_ = tw.Flush() // a closed pipe has no remedy
		return
	}
	t := table.New().Headers(headers...).Rows(rows...).
		Border(lipgloss.NormalBorder()).BorderTop(false).BorderBottom(false).BorderLeft(false).
		BorderRight(false).BorderColumn(false).BorderHeader(false).
		StyleFunc(func(row, _ int) lipgloss.Style {
			s := lipgloss.NewStyle().PaddingRight(3)
			if row == table.HeaderRow && p.color {
				s = s.Bold(true)
			}
			return s
		})
	p.printf("%s\n", t.String())
}

// ago writes a time as people say it.
func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	d := time.Since(t)
	switch {
	case d < time.Second:
		return "now"
	case d < time.Minute:
		return fmt.Sprintf("%ds ago", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm ago", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh ago", int(d.Hours()))
	}
	return fmt.Sprintf("%dd ago", int(d.Hours()/24))
}

// millis writes a duration with three significant figures.
func millis(d hearth.Duration) string {
	v := d.Std()
	switch {
	case v == 0:
		return "-"
	case v < 10*time.Millisecond:
		return fmt.Sprintf("%.2f ms", float64(v)/1e6)
	case v < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(v)/1e6)
	case v < 10*time.Second:
		return fmt.Sprintf("%.0f ms", float64(v)/1e6)
	}
	return fmt.Sprintf("%.1f s", v.Seconds())
}

// size writes bytes in binary units.
func size(n int64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
}
