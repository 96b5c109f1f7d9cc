// Command overhead measures what it costs to count calls: the throughput of warm
// calls, and the server's CPU time for each, of a server that counts beside one
// that doesn't. Both run all the time; in each round one is called and then the
// other, in turns the one or the other first.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/config"
	"hearth/internal/sandbox/native"
	"hearth/internal/server"
)

// Result is the table, and the JSON.
type Result struct {
	Rounds     int     `json:"rounds"`
	Calls      int     `json:"calls_per_round"`
	Plain      float64 `json:"plain_calls_per_second"` // medians
	Counted    float64 `json:"counted_calls_per_second"`
	Slower     float64 `json:"slower_percent"` // median of the rounds' own ratios
	PlainCPU   float64 `json:"plain_cpu_us_per_call"`
	CountedCPU float64 `json:"counted_cpu_us_per_call"`
	MoreCPU    float64 `json:"more_cpu_percent"`
	At         string  `json:"at"`
}

func main() {
	if native.IsInit() {
		os.Exit(native.Init())
	}
	serve := flag.String("serve", "", "be a server on this data folder (for the benchmark itself)")
	uncounted := flag.Bool("uncounted", false, "be one that doesn't count")
	rounds := flag.Int("rounds", 20, "rounds")
	calls := flag.Int("calls", 2000, "calls to each server in a round")
	out := flag.String("json", "", "also write the results to this file")
	flag.Parse()
	var err error
	if *serve != "" {
		err = beServer(*serve, *uncounted)
	} else {
		err = run(*rounds, *calls, *out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "overhead:", err)
		os.Exit(1)
	}
}

func beServer(data string, uncounted bool) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	c := config.Default()
	c.Data, c.Listen, c.AllowUnenforced = data, "127.0.0.1:0", true
	s, err := server.Open(ctx, c, server.Options{Version: "bench", Uncounted: uncounted})
	if err != nil {
		return err
	}
	return errors.Join(s.Serve(ctx), s.Close(context.Background()))
}

// subject is a server that is measured.
type subject struct {
	cmd *exec.Cmd
	url string

	rates, cpus []float64 // of each round: calls per second, microseconds per call
}

func start(dir string, uncounted bool) (*subject, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &subject{cmd: exec.Command(self, "-serve", dir, "-uncounted="+strconv.FormatBool(uncounted))}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, key, err := config.WaitEndpoint(ctx, dir)
	if err != nil {
		return s, err
	}
	s.url = e.URL
	c, err := client.New(e.URL, key)
	if err != nil {
		return s, err
	}
	public := true
	_, err = c.Deploy(ctx, client.DeployRequest{
		Name: "hello", Filename: "main.py", Code: strings.NewReader("def handler(event, context):\n    return 'hello'\n"),
		Config: rest.DeployConfig{Runtime: "python", Public: &public},
	})
	return s, err
}

func (s *subject) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// cpu is what the server's process has used, without its sandboxes.
func (s *subject) cpu() (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	var ticks int
	for _, f := range fields[11:13] { // user and system
		n, err := strconv.Atoi(f)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

const workers = 4

// round makes calls and notes how they went.
func (s *subject) round(calls int) error {
	before, err := s.cpu()
	if err != nil {
		return err
	}
	began := time.Now()
	errs := make(chan error, workers)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { errs <- s.call(calls / workers) })
	}
	wg.Wait()
	took := time.Since(began)
	for range workers {
		err = errors.Join(err, <-errs)
	}
	after, e := s.cpu()
	s.rates = append(s.rates, float64(calls)/took.Seconds())
	s.cpus = append(s.cpus, float64((after-before).Microseconds())/float64(calls))
	return errors.Join(err, e)
}

func (s *subject) call(n int) error {
	for range n {
		r, err := http.Get(s.url + "/fn/hello")
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r.Body)
		_ = r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK {
			return fmt.Errorf("a call answered %s: %w", r.Status, err)
		}
	}
	return nil
}

func run(rounds, calls int, out string) error {
	dir, err := os.MkdirTemp("", "hearth-overhead-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	http.DefaultTransport.(*http.Transport).MaxIdleConnsPerHost = workers
	var both []*subject
	for _, uncounted := range []bool{true, false} {
		s, err := start(filepath.Join(dir, strconv.FormatBool(uncounted)), uncounted)
		if s != nil {
			defer s.stop()
		}
		if err != nil {
			return err
		}
		both = append(both, s)
	}
	for i := range rounds + 1 {
		order := slices.Clone(both)
		if i%2 == 1 {
			slices.Reverse(order)
		}
		for _, s := range order {
			if err := s.round(calls); err != nil {
				return err
			}
		}
		if i == 0 { // to warm up
			for _, s := range both {
				s.rates, s.cpus = nil, nil
			}
		}
	}
	return report(both[0], both[1], rounds, calls, out)
}

func report(plain, counted *subject, rounds, calls int, out string) error {
	var slower []float64
	for i := range plain.rates {
		slower = append(slower, 100*(plain.rates[i]/counted.rates[i]-1))
	}
	r := Result{
		Rounds: rounds, Calls: calls, Plain: median(plain.rates), Counted: median(counted.rates), Slower: median(slower),
		PlainCPU: mean(plain.cpus), CountedCPU: mean(counted.cpus), At: time.Now().UTC().Format(time.RFC3339),
	}
	r.MoreCPU = 100 * (r.CountedCPU/r.PlainCPU - 1)
	fmt.Printf("metrics       calls/s (median)   server CPU µs/call\n  left out    %16.0f   %18.1f\n  counted     %16.0f   %18.1f\n  cost        %14.1f %%   %16.1f %%\n",
		r.Plain, r.PlainCPU, r.Counted, r.CountedCPU, r.Slower, r.MoreCPU)
	if out == "" {
		return nil
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644) //nolint:gosec // results are for all
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}

func mean(v []float64) float64 {
	var sum float64
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
