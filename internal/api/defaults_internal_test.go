package api

import (
	"strings"
	"testing"
	"time"

	"hearth"
)

// What is said to be the end of a range is the end of what is taken.
func TestBoundsAreWhatIsTaken(t *testing.T) {
	b := bounds([]hearth.Runtime{{Name: "rich", MinMemory: 99}, {Name: "poor"}})
	if b.MinMemory["rich"] != 99 || b.MinMemory["poor"] != hearth.MinMemoryMiB {
		t.Errorf("the runtimes need %v", b.MinMemory)
	}
	ms := func(d hearth.Duration, by int) hearth.Duration {
		return d + hearth.Duration(by)*hearth.Duration(time.Millisecond)
	}
	env := func(n int) map[string]string { return map[string]string{"A": strings.Repeat("x", n-3)} }
	for name, set := range map[string]func(c *hearth.Config, over int){
		"most memory":       func(c *hearth.Config, o int) { c.Limits.MemoryMiB = b.Memory.Max + o },
		"least memory":      func(c *hearth.Config, o int) { c.Limits.MemoryMiB = b.Memory.Min - o },
		"most cpu":          func(c *hearth.Config, o int) { c.Limits.CPU = b.CPU.Max + float64(o) },
		"least cpu":         func(c *hearth.Config, o int) { c.Limits.CPU = b.CPU.Min - float64(o)/100 },
		"longest timeout":   func(c *hearth.Config, o int) { c.Limits.Timeout = ms(b.Timeout.Max, o) },
		"shortest timeout":  func(c *hearth.Config, o int) { c.Limits.Timeout = ms(b.Timeout.Min, -o) },
		"longest silence":   func(c *hearth.Config, o int) { c.Limits.IdleChunk = ms(b.IdleChunk.Max, o) },
		"shortest silence":  func(c *hearth.Config, o int) { c.Limits.IdleChunk = ms(b.IdleChunk.Min, -o) },
		"most pids":         func(c *hearth.Config, o int) { c.Limits.PIDs = b.PIDs.Max + o },
		"least pids":        func(c *hearth.Config, o int) { c.Limits.PIDs = b.PIDs.Min - o },
		"most tmp":          func(c *hearth.Config, o int) { c.Limits.TmpMiB = b.Tmp.Max + o },
		"least tmp":         func(c *hearth.Config, o int) { c.Limits.TmpMiB = b.Tmp.Min - o },
		"most concurrency":  func(c *hearth.Config, o int) { c.Concurrency = b.Concurrency.Max + o },
		"least concurrency": func(c *hearth.Config, o int) { c.Concurrency = b.Concurrency.Min - o },
		"most sandboxes":    func(c *hearth.Config, o int) { c.MaxScale = b.MaxScale.Max + o },
		"least sandboxes":   func(c *hearth.Config, o int) { c.MaxScale = b.MaxScale.Min - o },
		"most warm":         func(c *hearth.Config, o int) { c.MinWarm = b.MinWarm.Max + o },
		"least warm":        func(c *hearth.Config, o int) { c.MinWarm = b.MinWarm.Min - o },
		"longest idle":      func(c *hearth.Config, o int) { c.KeepAlive = ms(b.KeepAlive.Max, o) },
		"shortest idle":     func(c *hearth.Config, o int) { c.KeepAlive = ms(b.KeepAlive.Min, -o) },
		"largest batch":     func(c *hearth.Config, o int) { c.Batch.Size = b.BatchSize.Max + o },
		"smallest batch":    func(c *hearth.Config, o int) { c.Batch.Size = b.BatchSize.Min - o },
		"longest wait":      func(c *hearth.Config, o int) { c.Batch.Wait = ms(b.BatchWait.Max, o) },
		"shortest wait":     func(c *hearth.Config, o int) { c.Batch.Wait = ms(b.BatchWait.Min, -o) },
		"most environment":  func(c *hearth.Config, o int) { c.Env = env(b.EnvBytes + o) },
	} {
		within, beyond := hearth.DefaultConfig(), hearth.DefaultConfig()
		set(&within, 0)
		set(&beyond, 1)
		if err := within.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := beyond.Validate(); err == nil {
			t.Errorf("%s: one more is taken too", name)
		}
	}
	if hearth.ValidateMessage(strings.Repeat("m", b.Message)) != nil || hearth.ValidateMessage(strings.Repeat("m", b.Message+1)) == nil {
		t.Errorf("a message has not %d characters at most", b.Message)
	}
}
