package api

import (
	"bytes"
	"encoding/json"

	"hearth"
	"hearth/client/rest"
)

// patched merges a patch into the configuration that v was deployed with.
func patched(v hearth.Version, patch []byte) (rest.DeployConfig, error) {
	var cfg rest.DeployConfig
	c := v.Config
	old, err := json.Marshal(rest.DeployConfig{
		Runtime: v.Runtime, Handler: v.Handler, Sandbox: v.Sandbox, Limits: c.Limits, Env: c.Env, Network: c.Network,
		Concurrency: c.Concurrency, MaxScale: c.MaxScale, MinWarm: c.MinWarm, KeepAlive: c.KeepAlive,
		Batch: c.Batch, OnDisconnect: c.OnDisconnect, Capture: c.Capture,
	})
	if err != nil {
		return cfg, err
	}
	var base, change map[string]any
	if err := unmarshal(old, &base); err != nil {
		return cfg, err
	}
	if err := unmarshal(patch, &change); err != nil || change == nil {
		return cfg, hearth.Errorf(hearth.CodeInvalid, "the body is not a JSON object")
	}
	merged, err := json.Marshal(merge(base, change))
	if err != nil {
		return cfg, err
	}
	return cfg, decodeStrict(merged, &cfg)
}

// unmarshal keeps numbers as they are written.
func unmarshal(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	return d.Decode(v)
}

// merge is RFC 7396.
func merge(base, patch map[string]any) map[string]any {
	if base == nil {
		base = map[string]any{}
	}
	for k, v := range patch {
		switch p := v.(type) {
		case nil:
			delete(base, k)
		case map[string]any:
			old, _ := base[k].(map[string]any)
			base[k] = merge(old, p)
		default:
			base[k] = v
		}
	}
	return base
}
