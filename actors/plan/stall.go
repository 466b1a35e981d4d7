package plan

import "time"

// Stalls distinguishes stalls of a process: every actor with a timer notices the same one. The zero
// value has seen none.
type Stalls struct{ noticed time.Time }

// New reports whether a stall differs from the last: it is noticed at now, by a timer that is late
// by late, and began after the last one was noticed.
func (s *Stalls) New(late time.Duration, now time.Time) bool {
	if now.Add(-late).Before(s.noticed) {
		return false
	}
	s.noticed = now
	return true
}
