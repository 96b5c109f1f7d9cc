package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The Grafana dashboard that comes along shows something in each of its panels:
// its queries, asked of a real Prometheus that scrapes the server as the file
// beside it says, all have an answer.
func Test15GrafanaDashboard(t *testing.T) {
	needsRoot(t)
	needsPrometheus(t)
	s := MustServe(t, t.TempDir())
	s.MustDeploy("lamp", map[string]string{"main.py": `
def handler(event, context):
    if event.get("rawQueryString") == "fail":
        raise ValueError("no oil")
    return "x" * 1000
`}, "--public")
	p := startPrometheus(t, s)
	queries := dashboardQueries(t, "../deploy/grafana/hearth.json")
	if len(queries) < 25 {
		t.Fatalf("the dashboard has %d queries", len(queries))
	}
	limit := time.Now().Add(startLimit)
	for {
		mustCallColdAndWarm(t, s)
		var empty []string
		for _, q := range queries {
			n, err := p.ask(q)
			if err != nil {
				t.Fatalf("%s\n%v", q, err)
			}
			if n == 0 {
				empty = append(empty, q)
			}
		}
		if len(empty) == 0 {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("nothing comes of\n%s", strings.Join(empty, "\n"))
		}
		time.Sleep(200 * time.Millisecond) // until the next scrape, of which nothing tells
	}
}

// Every metric of the server's own is described in the documentation, and what is
// described is there.
func Test15MetricsAreDocumented(t *testing.T) {
	needsRoot(t)
	s := MustServe(t, t.TempDir())
	s.MustDeploy("lamp", map[string]string{"main.py": "def handler(event, context):\n    return 1\n"}, "--public")
	mustDocument(t, s, "../docs/observability.md")
}

func mustDocument(t *testing.T, s *Server, file string) {
	t.Helper()
	s.MustCall("GET", "/fn/lamp/", "")
	s.MustRun("invocations") // waits until the call is recorded
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	described := regexp.MustCompile("`(hearth_\\w+)`").FindAllStringSubmatch(string(text), -1)
	var page string
	missing := func() (name string) {
		page = s.MustCall("GET", "/metrics", "", "Authorization", "Bearer "+s.Key).Body
		for _, d := range described {
			if !strings.Contains(page, "# TYPE "+d[1]+" ") {
				return d[1]
			}
		}
		return ""
	}
	for limit := time.Now().Add(startLimit); missing() != ""; time.Sleep(100 * time.Millisecond) { // some come with the next second
		if time.Now().After(limit) {
			t.Fatalf("%s describes %s, which isn't there", file, missing())
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (hearth_\w+) (\w+)$`).FindAllStringSubmatch(page, -1) {
		if !regexp.MustCompile("(?m)^\\| [^|]*`" + m[1] + "`[^|]*\\| " + m[2] + " \\|").Match(text) {
			t.Errorf("%s doesn't say that %s is a %s", file, m[1], m[2])
		}
	}
}

// mustCallColdAndWarm makes calls of every kind that the dashboard shows.
func mustCallColdAndWarm(t *testing.T, s *Server) {
	t.Helper()
	boxes, err := s.Client().Sandboxes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range boxes.Items {
		if b.Function != "" {
			if err := s.Client().KillSandbox(t.Context(), b.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, call := range []struct {
		path   string
		status int
	}{{"/fn/lamp/", 200}, {"/fn/lamp/", 200}, {"/fn/lamp/?fail", 502}} {
		if r := s.MustCall("POST", call.path, "oil"); r.Status != call.status {
			t.Fatalf("%s answers %d %s", call.path, r.Status, r.Body)
		}
	}
}

// dashboardQueries reads the queries of a dashboard, with the variables as Grafana
// puts them in where everything is chosen.
func dashboardQueries(t *testing.T, file string) (queries []string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Panels []struct {
			Type, Title string
			Targets     []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Name, Definition string }
		}
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	values := map[string]string{"$__rate_interval": "1m"}
	for _, v := range d.Templating.List {
		values["$"+v.Name] = ".*"
		if metric, ok := strings.CutPrefix(v.Definition, "label_values("); ok {
			metric, _, _ = strings.Cut(metric, ",")
			queries = append(queries, metric)
		}
	}
	variable := regexp.MustCompile(`\$\w+`)
	for _, p := range d.Panels {
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("the panel %q asks nothing", p.Title)
		}
		for _, target := range p.Targets {
			queries = append(queries, variable.ReplaceAllStringFunc(target.Expr, func(name string) string {
				if values[name] == "" {
					t.Errorf("%s uses %s, which is not a variable", target.Expr, name)
				}
				return values[name]
			}))
		}
	}
	return queries
}

type prometheus struct{ url string }

func needsPrometheus(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("prometheus"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("there is no prometheus here")
	}
}

// startPrometheus scrapes a server with the configuration that is shipped,
// each second.
func startPrometheus(t *testing.T, s *Server, flags ...string) prometheus {
	t.Helper()
	dir := t.TempDir()
	b, err := os.ReadFile("../deploy/grafana/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "key")
	added := strings.Fields(s.MustRun("users", "add", "prometheus", "--role", "viewer", "-o", "plain"))
	secret := added[len(added)-1]
	config := string(b)
	for old, value := range map[string]string{
		"/etc/prometheus/hearth.key": key, "127.0.0.1:8080": strings.TrimPrefix(s.URL, "http://"), "scrape_interval: 15s": "scrape_interval: 1s",
	} {
		if !strings.Contains(config, old) {
			t.Fatalf("the configuration doesn't say %s", old)
		}
		config = strings.ReplaceAll(config, old, value)
	}
	for name, text := range map[string]string{key: secret, filepath.Join(dir, "prometheus.yml"): config} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("prometheus", append([]string{
		"--config.file", filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path", filepath.Join(dir, "data"),
		"--web.listen-address", "127.0.0.1:0",
	}, flags...)...)
	log := &syncBuffer{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("prometheus says\n%s", log.String())
		}
	})
	listens := regexp.MustCompile(`msg="Listening on" address=(\S+)`)
	for limit := time.Now().Add(startLimit); ; time.Sleep(20 * time.Millisecond) { // a pipe that is copied gives no signal
		if m := listens.FindStringSubmatch(log.String()); m != nil {
			return prometheus{"http://" + m[1]}
		}
		if time.Now().After(limit) {
			t.Fatalf("prometheus doesn't start:\n%s", log.String())
		}
	}
}

// ask returns how many series answer a query now.
func (p prometheus) ask(query string) (int, error) {
	resp, err := http.Get(p.url + "/api/v1/query?query=" + url.QueryEscape(query))
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	var a struct {
		Status, Error string
		Data          struct {
			Result []struct{ Value [2]any }
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&a); err != nil {
		return 0, err
	}
	if resp.StatusCode == http.StatusServiceUnavailable { // it is still starting
		return 0, nil
	}
	if a.Status != "success" {
		return 0, fmt.Errorf("%s", a.Error)
	}
	n := 0
	for _, r := range a.Data.Result {
		if r.Value[1] != "NaN" {
			n++
		}
	}
	return n, nil
}
