// Command coldstart measures what a caller waits for a function that was never
// called before, beside a bare start of the same interpreter.
//
// It deploys one function per round and language, restarts the server, so that
// no sandbox has ever loaded any of them, and then in each round, interleaved:
// runs the bare interpreter (python3 -I -S -c pass, node -e 0) to its end, and
// calls the next function through the gateway on a kept-alive connection. Before
// each call it waits until the prewarmed pool is full. A call that wasn't
// prewarmed counts as a failure of the benchmark.
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
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"hearth"
	"hearth/client"
	"hearth/client/rest"
	"hearth/internal/config"
)

// language is one side-by-side comparison.
type language struct {
	name, file, code string
	bare             []string // arguments of the bare start
}

var languages = []language{
	{"python", "main.py", "def handler(event, context):\n    return {\"ok\": True}\n", []string{"-I", "-S", "-c", "pass"}},
	{"nodejs", "index.mjs", "export const handler = async () => ({ ok: true })\n", []string{"-e", "0"}},
}

// Result is one row of the table and of the JSON. Times are milliseconds.
type Result struct {
	Language  string  `json:"language"`
	Runtime   string  `json:"runtime"`
	Rounds    int     `json:"rounds"`
	Bare50    float64 `json:"bare_p50_ms"`
	First50   float64 `json:"first_call_p50_ms"`
	First99   float64 `json:"first_call_p99_ms"`
	Warm50    float64 `json:"warm_call_p50_ms"`
	Ratio     float64 `json:"ratio"` // first call to bare start, of medians
	GoVersion string  `json:"go"`
	Kernel    string  `json:"kernel"`
	At        string  `json:"at"`
}

func main() {
	binary := flag.String("binary", "bin/hearth", "the hearth to measure")
	rounds := flag.Int("rounds", 100, "rounds per language")
	out := flag.String("json", "", "also write the results to this file")
	flag.Parse()
	if err := run(*binary, *rounds, *out); err != nil {
		fmt.Fprintln(os.Stderr, "coldstart:", err)
		os.Exit(1)
	}
}

func run(binary string, rounds int, out string) error {
	dir, err := os.MkdirTemp("", "hearth-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	data := filepath.Join(dir, "data")
	if err := deployAll(binary, data, dir, rounds); err != nil {
		return err
	}
	s, err := serve(binary, data)
	if err != nil {
		return err
	}
	defer s.stop()
	var results []Result
	for _, l := range languages {
		r, err := s.measure(l, rounds)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		results = append(results, r)
	}
	fmt.Printf("%-12s %7s %14s %16s %16s %14s %8s\n", "runtime", "rounds", "bare p50 ms", "first call p50", "first call p99", "warm p50", "ratio")
	for _, r := range results {
		fmt.Printf("%-12s %7d %14.2f %16.2f %16.2f %14.2f %8.3f\n", r.Runtime, r.Rounds, r.Bare50, r.First50, r.First99, r.Warm50, r.Ratio)
	}
	if out == "" {
		return nil
	}
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(out, append(b, '\n'), 0o644)
}

// server is a hearth under measurement.
type server struct {
	cmd *exec.Cmd
	c   *client.Client
	url string
}

func serve(binary, data string) (*server, error) {
	cmd := exec.Command(binary, "serve", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error", "--prewarmed", "4")
	cmd.Env = append(os.Environ(), "XDG_CONFIG_HOME="+data)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, key, err := config.WaitEndpoint(ctx, data)
	if err == nil {
		s.url = e.URL
		s.c, err = client.New(e.URL, key)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("start the server: %w", err)
	}
	return s, nil
}

func (s *server) stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

func functionName(l language, i int) string { return fmt.Sprintf("%s-%d", l.name, i) }

func deployAll(binary, data, dir string, rounds int) error {
	s, err := serve(binary, data)
	if err != nil {
		return err
	}
	defer s.stop()
	public := true
	for _, l := range languages {
		for i := range rounds {
			_, err := s.c.Deploy(context.Background(), client.DeployRequest{
				Name: functionName(l, i), Filename: l.file, Code: strings.NewReader(l.code),
				Config: rest.DeployConfig{Runtime: l.name, Public: &public, KeepAlive: hearth.Duration(time.Second)},
			})
			if err != nil {
				return fmt.Errorf("deploy: %w", err)
			}
		}
	}
	return nil
}

func (s *server) measure(l language, rounds int) (Result, error) {
	ctx := context.Background()
	f, err := s.c.Function(ctx, functionName(l, 0))
	if err != nil {
		return Result{}, err
	}
	interpreter, err := s.interpreter(ctx, f.Version.Runtime)
	if err != nil {
		return Result{}, err
	}
	var bare, first, warm []time.Duration
	for i := range rounds {
		if err := s.awaitPool(ctx, f.Version.Runtime); err != nil {
			return Result{}, err
		}
		start := time.Now()
		if err := exec.Command(interpreter, l.bare...).Run(); err != nil {
			return Result{}, fmt.Errorf("bare start: %w", err)
		}
		bare = append(bare, time.Since(start))
		d, how, err := s.call(functionName(l, i))
		if err != nil {
			return Result{}, err
		}
		if how != hearth.StartPrewarmed {
			return Result{}, fmt.Errorf("round %d started %s although the pool was full", i, how)
		}
		first = append(first, d)
		if d, _, err = s.call(functionName(l, i)); err != nil {
			return Result{}, err
		}
		warm = append(warm, d)
	}
	kernel, err := exec.Command("uname", "-r").Output()
	if err != nil {
		return Result{}, fmt.Errorf("name the kernel: %w", err)
	}
	r := Result{
		Language: l.name, Runtime: f.Version.Runtime, Rounds: rounds, Bare50: quantile(bare, .5), First50: quantile(first, .5),
		First99: quantile(first, .99), Warm50: quantile(warm, .5), GoVersion: runtime.Version(), Kernel: strings.TrimSpace(string(kernel)),
		At: time.Now().UTC().Format(time.RFC3339),
	}
	r.Ratio = r.First50 / r.Bare50
	return r, nil
}

func (s *server) interpreter(ctx context.Context, name string) (string, error) {
	rts, err := s.c.Runtimes(ctx)
	if err != nil {
		return "", err
	}
	for _, rt := range rts.Items {
		if rt.Name == name {
			return rt.Interpreter, nil
		}
	}
	return "", fmt.Errorf("the server has no %s", name)
}

// awaitPool waits until the prewarmed sandboxes of a runtime are complete.
func (s *server) awaitPool(ctx context.Context, name string) error {
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		pools, err := s.c.Pools(ctx)
		if err != nil {
			return err
		}
		for _, p := range pools.Items {
			if p.Runtime == name && p.Ready >= p.Target {
				return nil
			}
		}
	}
	return errors.New("the prewarmed pool didn't fill up within a minute")
}

func (s *server) call(name string) (time.Duration, hearth.Start, error) {
	start := time.Now()
	resp, err := http.Get(s.url + "/fn/" + name)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	took := time.Since(start)
	if err == nil && (resp.StatusCode != http.StatusOK || string(b) != `{"ok":true}`) {
		err = fmt.Errorf("call of %s: %s %s", name, resp.Status, b)
	}
	return took, hearth.Start(resp.Header.Get(rest.HeaderStart)), err
}

// quantile is in milliseconds, by the nearest rank.
func quantile(ds []time.Duration, q float64) float64 {
	s := slices.Sorted(slices.Values(ds))
	return float64(s[min(len(s)-1, int(q*float64(len(s))))]) / 1e6
}
