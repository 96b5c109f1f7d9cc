package api

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"hearth"
	"hearth/client/rest"
	"hearth/internal/metrics"
)

const usageSpan = 7 * 24 * time.Hour

func (a *API) getUsage(ctx context.Context, in *struct {
	From time.Time `query:"from" doc:"a week before to, if not given"`
	To   time.Time `query:"to" doc:"now, if not given"`
}) (*body[rest.UsageReport], error) {
	from, to, err := metricRange(in.From, in.To, usageSpan)
	if err != nil {
		return nil, err
	}
	if err := a.o.Engine.Settled(ctx); err != nil {
		return nil, err
	}
	res, err := a.o.Metrics.Query(ctx, metrics.Query{
		Functions: []string{metrics.Every}, ByVersion: true, From: from, To: to, Totals: true, Fields: metrics.FieldDuration | metrics.FieldMemory,
	})
	if err != nil {
		return nil, err
	}
	out := rest.UsageReport{From: time.Unix(res.From, 0).UTC(), To: time.Unix(res.To, 0).UTC(), Functions: []rest.FunctionUsage{}}
	least := a.leastMemory()
	for _, s := range res.Series {
		if s.Total.Requests == 0 && s.Total.CPU == 0 {
			continue
		}
		v, active, err := a.versionOf(ctx, s.Key)
		if err != nil {
			return nil, err
		}
		u := functionUsage(s, v)
		if active {
			u.Suggestion = suggest(s.Total, v.Config.Limits.MemoryMiB, max(least[v.Runtime], hearth.MinMemoryMiB))
		}
		out.Functions = append(out.Functions, u)
		out.Total.Requests += u.Requests
		out.Total.CPUSeconds += u.CPUSeconds
		out.Total.GBSeconds += u.GBSeconds
	}
	slices.SortStableFunc(out.Functions, func(x, y rest.FunctionUsage) int { return cmp.Compare(y.GBSeconds, x.GBSeconds) })
	return &body[rest.UsageReport]{out}, nil
}

// leastMemory is what each runtime needs to start at all, in MiB.
func (a *API) leastMemory() map[string]int {
	least := map[string]int{}
	for _, rt := range a.o.Languages.All() {
		least[rt.Name] = rt.MinMemory
	}
	return least
}

// versionOf returns a version, zero if it was deleted, and whether it takes the
// traffic.
func (a *API) versionOf(ctx context.Context, k metrics.Key) (v hearth.Version, active bool, err error) {
	f, ok := a.functions.get(k.Function)
	if ok && f.version.Number == k.Version {
		return f.version, true, nil
	}
	if !ok {
		return v, false, nil
	}
	v, err = a.o.Store.Version(ctx, k.Function, k.Version)
	if hearth.ErrorCode(err) == hearth.CodeNotFound {
		return hearth.Version{}, false, nil
	}
	return v, false, err
}

func functionUsage(s metrics.Series, v hearth.Version) rest.FunctionUsage {
	l, t := v.Config.Limits, s.Total
	return rest.FunctionUsage{
		Function: s.Function, Version: s.Version, Requests: t.Requests,
		CPUSeconds: round(t.CPU), GBSeconds: round(float64(l.MemoryMiB) / 1024 * t.Busy),
		MemoryLimit: int64(l.MemoryMiB) << 20, MemoryPeak: t.MemoryMax, MemoryP99: round(t.Memory.P99),
		DurationP95: round(t.Duration.P95), Timeout: l.Timeout,
	}
}

const (
	// enoughCalls is how many calls say something about all.
	enoughCalls = 20
	// memoryStep is what suggestions are multiples of, in MiB.
	memoryStep = 32
)

// suggest says which memory limit would do: twice the peak where that is much
// less than the limit, half as much again where calls came close to it.
func suggest(t metrics.Point, limit, least int) *rest.UsageSuggestion {
	peak := float64(t.MemoryMax) / (1 << 20)
	killed := t.Outcome(hearth.OutcomeOOM)
	if limit == 0 || peak == 0 || t.Requests < enoughCalls && killed == 0 {
		return nil
	}
	says := fmt.Sprintf("peak %.0f MB of %d", peak, limit)
	if killed > 0 {
		says = fmt.Sprintf("%d of %d calls ran out of %d MB", killed, t.Requests, limit)
	}
	mib := 0
	switch {
	case killed > 0 || peak > .9*float64(limit):
		mib = upTo(1.5*float64(limit), memoryStep)
	case max(upTo(2*peak, memoryStep), upTo(float64(least), memoryStep)) <= limit*3/4:
		mib = max(upTo(2*peak, memoryStep), upTo(float64(least), memoryStep))
	}
	if mib == 0 || mib > hearth.MaxMemoryMiB {
		return nil
	}
	return &rest.UsageSuggestion{MemoryMiB: mib, Text: fmt.Sprintf("%s: set %d", says, mib)}
}

// upTo returns the next multiple of step.
func upTo(v float64, step int) int { return int(math.Ceil(v/float64(step))) * step }
