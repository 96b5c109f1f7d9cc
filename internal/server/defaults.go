package server

import (
	"hearth"
	"hearth/client/rest"
	"hearth/internal/config"
)

// defaults is what the configuration says for all functions and calls.
func (s *Server) defaults() rest.Defaults {
	c := s.cfg
	return rest.Defaults{
		Sandbox: c.Sandbox, KeepAlive: hearth.Duration(c.KeepAlive), MaxRequestMiB: c.MaxRequestMiB, MaxReplyMiB: c.MaxReplyMiB,
		MaxCodeMiB: c.MaxCodeMiB, Concurrency: c.Concurrency, Queue: c.Queue, QueueWait: hearth.Duration(c.QueueWait),
		MemoryMiB: memoryBudget(c.MemoryMiB), Prewarmed: c.StemCells, Retention: hearth.Duration(c.Retention),
	}
}

func settings(c config.Config) []rest.Setting {
	var out []rest.Setting
	for _, s := range c.Settings() {
		out = append(out, rest.Setting(s))
	}
	return out
}
