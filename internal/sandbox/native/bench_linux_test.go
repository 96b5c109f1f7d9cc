package native_test

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"hearth"
	"hearth/internal/sandbox"
	"hearth/internal/sandbox/native"
)

// BenchmarkFirstCall measures what a function that was never called before
// waits for: a stem cell that becomes its sandbox, loads it and answers. Beside
// the times it gives the page faults that the sandbox took meanwhile, which
// don't depend on how busy the host is, and the times to make and to destroy
// one, which nobody waits for. bare is a start of the interpreter alone.
func BenchmarkFirstCall(b *testing.B) {
	for _, language := range slices.Sorted(maps.Keys(languages)) {
		b.Run(language, func(b *testing.B) {
			rt := mustRuntime(b, language)
			d := mustDriver(b, native.Config{})
			dir := echo.write(b, language)
			mustDestroy(b, mustCreate(b, d, rt)) // the zygote, the caches
			var first, warm, create, destroy, assign, bare, faults []float64
			for b.Loop() {
				start := time.Now()
				s := mustCreate(b, d, rt)
				create = append(create, ms(start))
				s.(sandbox.Outputter).Output(func(int, []byte) {})

				before := minorFaults(b, s)
				start = time.Now()
				f, took := mustBenchServe(b, s, dir)
				f.mustCall(b, `{}`)
				first = append(first, ms(start))
				assign = append(assign, took)
				faults = append(faults, minorFaults(b, s)-before)

				start = time.Now()
				f.mustCall(b, `{}`)
				warm = append(warm, ms(start))
				start = time.Now()
				mustDestroy(b, s)
				destroy = append(destroy, ms(start))
				bare = append(bare, bareStart(b, rt))
			}
			b.ReportMetric(0, "ns/op")
			for name, v := range map[string][]float64{"first": first, "warm": warm, "create": create, "destroy": destroy, "bare": bare, "assign": assign} {
				b.ReportMetric(quantile(v, 0.5), name+"-p50-ms")
				b.ReportMetric(quantile(v, 0.99), name+"-p99-ms")
			}
			b.ReportMetric(quantile(faults, 0.5), "faults-p50")
		})
	}
}

func ms(start time.Time) float64 { return float64(time.Since(start).Microseconds()) / 1000 }

func quantile(v []float64, q float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[min(int(q*float64(len(s))), len(s)-1)]
}

func mustDestroy(t testing.TB, s sandbox.Sandbox) {
	t.Helper()
	if err := s.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func mustBenchServe(b *testing.B, s sandbox.Sandbox, dir string) (f *function, assign float64) {
	b.Helper()
	start := time.Now()
	if err := s.Assign(b.Context(), sandbox.Assignment{Limits: hearth.DefaultLimits(), CodeDir: dir}); err != nil {
		b.Fatal(err)
	}
	assign = ms(start)
	return mustLoad(b, s, hearth.DefaultLimits()), assign
}

// bareStart times the interpreter doing nothing.
func bareStart(b *testing.B, rt hearth.Runtime) float64 {
	b.Helper()
	args := map[string][]string{"python": {"-I", "-S", "-c", "pass"}, "nodejs": {"-e", "0"}}[rt.Language]
	start := time.Now()
	if err := exec.Command(rt.Interpreter, args...).Run(); err != nil {
		b.Fatal(err)
	}
	return ms(start)
}

// minorFaults counts the page faults of a sandbox's first process so far.
func minorFaults(b *testing.B, s sandbox.Sandbox) float64 {
	b.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", native.PID(s)))
	if err != nil {
		b.Fatal(err)
	}
	f := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	n, err := strconv.ParseFloat(f[7], 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}
