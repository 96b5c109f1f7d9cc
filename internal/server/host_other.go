//go:build !linux

package server

// memoryBudget is as configured; 0 is no bound.
func memoryBudget(configured int) int { return configured }

// availableMiB is not known here.
var availableMiB func() (int, error)
