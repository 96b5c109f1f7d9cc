package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
)

func (a *App) topCmd() *cobra.Command {
	var every time.Duration
	var once bool
	var by string
	c := &cobra.Command{
		Use: "top", Short: "Watch functions and sandboxes", Args: cobra.NoArgs,
		Long: `Top shows what functions did in the last minute, again and again. Keys: q ends it,
s sorts by the next column, r turns the order round, tab changes between functions
and sandboxes.

Where the output isn't a terminal it shows all once. With -o json it writes a line of
JSON each time, until it is interrupted; with --once only one.`,
		RunE: a.with(func(ctx context.Context, cl *client.Client, _ []string) error {
			v := topView{by: slices.Index(topColumns, by)}
			if v.by < 0 {
				return usage("--sort %q is not known", by).WithField("sort").WithHint("use %s", strings.Join(topColumns, ", "))
			}
			if every < 100*time.Millisecond {
				return usage("--every %s is too often", every).WithField("every").WithHint("use 100ms or more")
			}
			switch {
			case a.format == formatJSON:
				return a.topJSON(ctx, cl, every, once)
			case once || !isTerminal(a.Out):
				s, err := look(ctx, cl)
				if err == nil {
					s.print(a.out(), v)
				}
				return err
			}
			return a.top(ctx, cl, every, v)
		}),
	}
	c.Flags().DurationVar(&every, "every", time.Second, "how often to look")
	c.Flags().BoolVar(&once, "once", false, "look once")
	c.Flags().StringVar(&by, "sort", topColumns[0], "what to sort by: "+strings.Join(topColumns, ", "))
	_ = c.RegisterFlagCompletionFunc("sort", cobra.FixedCompletions(topColumns, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// topColumns is what can be sorted by, all but the name from high to low.
var topColumns = []string{"rate", "errors", "p95", "cpu", "memory", "cold", "name"}

// topView is what a person has chosen to see.
type topView struct {
	by      int // of topColumns
	reverse bool
	boxes   bool
}

// topState is what there is to see.
type topState struct {
	At        time.Time      `json:"at"`
	Metrics   rest.Metrics   `json:"metrics"`
	Load      rest.Load      `json:"load"`
	Sandboxes []rest.Sandbox `json:"sandboxes"`
	Pools     []rest.Pool    `json:"pools"`

	last  rest.MetricData // by function
	whole rest.MetricData
}

// look asks for the last minute.
func look(ctx context.Context, cl *client.Client) (s topState, err error) {
	s.At = hearth.Moment(time.Now())
	q := client.MetricsQuery{
		From: s.At.Add(-time.Minute), To: s.At, Step: time.Second,
		Fields: []string{"requests", "outcomes", "starts", "duration", "cpu", "memory", "host"},
	}
	if s.whole, err = cl.QueryMetrics(ctx, q); err != nil {
		return s, err
	}
	q.Functions, q.Fields = []string{"*"}, q.Fields[:6]
	if s.last, err = cl.QueryMetrics(ctx, q); err != nil {
		return s, err
	}
	boxes, err := cl.Sandboxes(ctx)
	if err != nil {
		return s, err
	}
	pools, err := cl.Pools(ctx)
	if err != nil {
		return s, err
	}
	server, err := cl.Server(ctx)
	s.Metrics, s.Sandboxes, s.Pools, s.Load = summary(s.last), boxes.Items, pools.Items, server.Load
	return s, err
}

func (a *App) topJSON(ctx context.Context, cl *client.Client, every time.Duration, once bool) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	out := json.NewEncoder(a.Out)
	for {
		s, err := look(ctx, cl)
		if err == nil {
			err = out.Encode(s)
		}
		if err != nil || once {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// top draws the state again and again, on a screen of its own, until somebody
// presses q.
func (a *App) top(ctx context.Context, cl *client.Client, every time.Duration, v topView) error {
	keys, restore := a.keys()
	defer restore()
	fmt.Fprint(a.Out, "\x1b[?1049h\x1b[?25l\x1b[?7l") // own screen, no cursor, long lines are cut
	defer fmt.Fprint(a.Out, "\x1b[?7h\x1b[?25h\x1b[?1049l")
	tick := time.NewTicker(every)
	defer tick.Stop()
	s, err := look(ctx, cl)
	for {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil && hearth.ErrorCode(err) != hearth.CodeUnavailable {
			return err
		}
		a.draw(s, v, err)
		select {
		case <-ctx.Done():
			return nil
		case k := <-keys:
			if !v.press(k) {
				return nil
			}
			continue
		case <-tick.C:
		}
		var next topState
		if next, err = look(ctx, cl); err == nil {
			s = next
		}
	}
}

// press takes a key and reports whether to go on.
func (v *topView) press(key byte) bool {
	switch key {
	case 'q', 'Q', 3: // in raw mode Ctrl-C is a key
		return false
	case 's':
		v.by = (v.by + 1) % len(topColumns)
	case 'r':
		v.reverse = !v.reverse
	case '\t':
		v.boxes = !v.boxes
	}
	return true
}

// keys returns what is pressed, and what puts the terminal back as it was. From
// what isn't a terminal nothing comes.
func (a *App) keys() (pressed <-chan byte, restore func()) {
	c := make(chan byte)
	f, ok := a.In.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return c, func() {}
	}
	before, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return c, func() {}
	}
	gone := make(chan struct{})
	go func() { // it waits in Read until a key comes or the program ends
		b := make([]byte, 1)
		for {
			if n, err := f.Read(b); err != nil || n == 0 {
				return
			}
			select {
			case c <- b[0]:
			case <-gone:
				return
			}
		}
	}()
	return c, func() {
		close(gone)
		_ = term.Restore(int(f.Fd()), before) // there is no remedy
	}
}

// draw fills the screen: home, then each line cleared to its end, then the rest.
// Nothing is blank in between, so nothing flickers.
func (a *App) draw(s topState, v topView, err error) {
	var b strings.Builder
	tty := a.out()
	p := &printer{w: &b, color: tty.color, form: formatTable}
	s.head(p)
	if err != nil {
		p.printf("%s\n", p.red(fmt.Sprintf("no answer: this was at %s", s.At.Local().Format("15:04:05"))))
	} else {
		p.printf("\n")
	}
	if v.boxes {
		s.boxes(p)
	} else {
		s.functions(p, v)
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	rows := 24
	if f, ok := a.Out.(*os.File); ok {
		if _, h, err := term.GetSize(int(f.Fd())); err == nil && h > 0 {
			rows = h
		}
	}
	if len(lines) > rows-2 {
		lines = lines[:max(1, rows-2)]
	}
	other := "sandboxes"
	if v.boxes {
		other = "functions"
	}
	lines = append(lines, "", p.dim("q quit · s sort by "+topColumns[(v.by+1)%len(topColumns)]+" · r reverse · tab "+other))
	lines = lines[max(0, len(lines)-rows):]
	fmt.Fprintf(a.Out, "\x1b[H%s\x1b[K\x1b[J", strings.Join(lines, "\x1b[K\r\n"))
}

// print shows all, once.
func (s topState) print(p *printer, v topView) {
	s.head(p)
	p.printf("\n")
	s.functions(p, v)
	p.printf("\n")
	s.boxes(p)
}

func (s topState) head(p *printer) {
	if len(s.whole.Series) > 0 {
		w := s.whole.Series[0]
		p.printf("%s  %s, %s errors, p95 %s, %d running, %d waiting", p.bold("hearth"), perSecond(w.Total.Rate),
			share(w.Total.Errors, w.Total.Requests), millis(seconds(w.Total.P95)), s.Load.Running, s.Load.Waiting)
		if course := spark(w.Requests, courseWidth); p.form == formatTable && course != "" {
			p.printf("  %s", p.green(course))
		}
		p.printf("\n")
	}
	if h := s.whole.Host; h != nil {
		if cpu, memory := lastKnown(h.CPU), lastKnown(h.Memory); cpu != nil && memory != nil {
			p.printf("  host %.0f %% of %d cores, %s of %s\n", 100**cpu, h.Cores, size(int64(*memory)), size(h.MemoryTotal))
		}
	}
	states := map[string]int{}
	var memory int64
	for _, b := range s.Sandboxes {
		states[b.State]++
		memory += b.Usage.Memory
	}
	p.printf("  %d sandboxes (%d busy, %d idle, %d prewarmed)  %s\n", len(s.Sandboxes), states["busy"], states["idle"], states["stem"], size(memory))
	for _, pool := range s.Pools {
		p.printf("  prewarmed %s %s network %s: %d of %d ready, %d hits, %d misses\n", pool.Driver, pool.Runtime, pool.Network, pool.Ready, pool.Target, pool.Hits, pool.Misses)
	}
}

func lastKnown(vs []*float64) *float64 {
	for _, v := range slices.Backward(vs) {
		if v != nil {
			return v
		}
	}
	return nil
}

func (s topState) functions(p *printer, v topView) {
	series := slices.Clone(s.last.Series)
	slices.SortStableFunc(series, func(x, y rest.MetricSeries) int {
		c := compareBy(topColumns[v.by], x, y)
		if v.reverse {
			c = -c
		}
		return cmp.Or(c, strings.Compare(x.Function, y.Function))
	})
	boxes := map[string]int{}
	for _, b := range s.Sandboxes {
		boxes[b.Function]++
	}
	headers := []string{"FUNCTION", "RATE", "ERRORS", "P50", "P95", "P99", "CPU", "MEMORY", "COLD", "SANDBOXES"}
	if p.form == formatTable {
		headers = append(headers, "LAST MINUTE")
		sorted := strings.ToUpper(topColumns[v.by])
		if sorted == "NAME" {
			sorted = headers[0]
		}
		headers[slices.Index(headers, sorted)] += map[bool]string{false: "▾", true: "▴"}[v.reverse]
	}
	list(p, series, headers, func(x rest.MetricSeries) []string {
		t := x.Total
		row := []string{
			x.Function, perSecond(t.Rate), share(t.Errors, t.Requests), millis(seconds(t.P50)), millis(seconds(t.P95)), millis(seconds(t.P99)),
			cores(x), memoryOf(t), share(t.ColdStarts, t.Requests), strconv.Itoa(boxes[x.Function]),
		}
		if t.Errors > 0 {
			row[2] = p.red(row[2])
		}
		if p.form == formatTable {
			row = append(row, p.green(spark(x.Requests, courseWidth)))
		}
		return row
	}, "no calls in the last minute")
}

func compareBy(column string, x, y rest.MetricSeries) int {
	of := func(t rest.MetricTotal) float64 {
		var v *float64
		switch column {
		case "rate":
			return t.Rate
		case "errors":
			return t.ErrorRate
		case "p95":
			v = t.P95
		case "cpu":
			v = t.CPU
		case "memory":
			if t.MemoryMax != nil {
				return float64(*t.MemoryMax)
			}
		case "cold":
			return float64(t.ColdStarts) / max(1, float64(t.Requests))
		}
		if v == nil {
			return 0
		}
		return *v
	}
	return cmp.Compare(of(y.Total), of(x.Total)) // of names all are equal
}

// cores is CPU seconds by second.
func cores(x rest.MetricSeries) string {
	if x.Total.CPU == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f", *x.Total.CPU/max(1, float64(known(x.Requests))))
}

func memoryOf(t rest.MetricTotal) string {
	if t.MemoryMax == nil {
		return "-"
	}
	return size(*t.MemoryMax)
}

func (s topState) boxes(p *printer) {
	list(p, s.Sandboxes, []string{"SANDBOX", "RUNTIME", "FUNCTION", "STATE", "SINCE", "SERVED", "MEMORY", "CPU"}, func(b rest.Sandbox) []string {
		fn := "-"
		if b.Function != "" {
			fn = fmt.Sprintf("%s@%d", b.Function, b.Version)
		}
		return []string{short(b.ID), b.Runtime, fn, b.State, ago(b.Since), strconv.FormatInt(b.Served, 10), size(b.Usage.Memory), b.Usage.CPU.Std().Round(time.Millisecond).String()}
	}, "no sandboxes")
}
