package metrics

// Tick closes the windows of the seconds that are over, as the loop does.
func (a *Aggregator) Tick() { a.tick(false) }

// End closes all windows, as the loop does when it stops.
func (a *Aggregator) End() { a.tick(true) }
