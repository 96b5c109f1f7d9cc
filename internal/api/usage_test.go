package api_test

import (
	"testing"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/server/servertest"
)

func TestUsageSuggestsMemory(t *testing.T) {
	e := servertest.Start(t)
	deploy := func(name string, memory int) {
		e.Deploy(name, rest.DeployConfig{Limits: hearth.Limits{MemoryMiB: memory}})
	}
	call := func(name, event string, times int) {
		for range times {
			e.Do("POST", "/fn/"+name+"/", event, servertest.Auth(e.Key))
		}
	}
	deploy("wide", 512)
	call("wide", `{"memory":42991616,"cpu":"10ms","sleep":"1ms"}`, 25) // 41 MiB
	deploy("close", 128)
	call("close", `{"memory":125829120}`, 25) // 120 MiB
	deploy("fits", 128)
	call("fits", `{"memory":73400320}`, 25) // 70 MiB
	deploy("killed", 128)
	call("killed", `{"memory":1000}`, 2)
	call("killed", `{"oom":true}`, 1)
	deploy("young", 512)
	call("young", `{"memory":1000}`, 3)
	deploy("old", 512)
	call("old", `{"memory":1000}`, 25)
	deploy("old", 256)
	call("old", "", 1)
	deploy("gone", 256)
	call("gone", "", 1)
	if err := e.Admin.DeleteFunction(t.Context(), "gone", 0); err != nil {
		t.Fatal(err)
	}
	u, err := e.Admin.Usage(t.Context(), time.Time{}, time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"wide@1": "peak 41 MB of 512: set 96", "close@1": "peak 120 MB of 128: set 192", "fits@1": "", "killed@1": "1 of 3 calls ran out of 128 MB: set 192",
		"young@1": "", "old@1": "", "old@2": "", "gone@1": "",
	}
	var requests int64
	var gb float64
	for i, f := range u.Functions {
		name := hearth.Version{Function: f.Function, Number: f.Version}.Ref()
		said, known := want[name]
		delete(want, name)
		got := ""
		if f.Suggestion != nil {
			got = f.Suggestion.Text
		}
		if !known || got != said {
			t.Errorf("%s is told %q, want %q", name, got, said)
		}
		if i > 0 && f.GBSeconds > u.Functions[i-1].GBSeconds {
			t.Errorf("%s is dearer than the one before", name)
		}
		requests, gb = requests+f.Requests, gb+f.GBSeconds
		switch name {
		case "wide@1":
			if f.Requests != 25 || f.CPUSeconds < .25 || f.GBSeconds < 25*.001/2 || f.MemoryLimit != 512<<20 || f.MemoryPeak != 42991616 || f.DurationP95 < .001 ||
				f.Timeout != hearth.DefaultLimits().Timeout || f.Suggestion.MemoryMiB != 96 {
				t.Errorf("usage: %+v", f)
			}
		case "old@1":
			if f.MemoryLimit != 512<<20 {
				t.Errorf("the limit of an old version is %d", f.MemoryLimit)
			}
		case "gone@1":
			if f.MemoryLimit != 0 || f.GBSeconds != 0 || f.Requests != 1 {
				t.Errorf("of a deleted function: %+v", f)
			}
		}
	}
	if len(want) > 0 || u.Total.Requests != requests || u.Total.GBSeconds < gb*.999 || u.Total.GBSeconds > gb*1.001 {
		t.Errorf("missing %v, total %+v", want, u.Total)
	}
	if u.To.Sub(u.From) < 7*24*time.Hour {
		t.Errorf("from %s to %s", u.From, u.To)
	}
	if p := mustProblem(t, e.Do("GET", "/api/v1/usage?from=2030-01-01T00:00:00Z", "", servertest.Auth(e.Key))); p.Field != "from" {
		t.Errorf("a strange time: %+v", p)
	}
}
