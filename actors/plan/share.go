package plan

import (
	"math"
	"time"
)

// Share limits what one of several may use of a common resource: Burst at once, and then PerSecond.
// A new one is full.
type Share struct {
	Burst     int
	PerSecond float64 // more than 0

	used float64   // of Burst
	at   time.Time // when that was so
}

// Take takes one, and reports whether there was one.
func (s *Share) Take(now time.Time) bool {
	s.refill(now)
	if s.used+1 > float64(s.Burst) {
		return false
	}
	s.used++
	return true
}

// Wait returns how long it is until there is one.
func (s *Share) Wait(now time.Time) time.Duration {
	s.refill(now)
	lacks := max(s.used+1-float64(s.Burst), 0)
	// never 0 where Take fails
	return time.Duration(math.Ceil(lacks / s.PerSecond * float64(time.Second)))
}

// refill adds what has come back. A clock that goes backwards brings nothing.
func (s *Share) refill(now time.Time) {
	s.used = max(0, s.used-s.PerSecond*max(now.Sub(s.at).Seconds(), 0))
	s.at = now
}

// Quota is a Share of what is reported, with a count of what is not.
type Quota struct {
	Share
	unreported int
}

// Pass reports whether one more may be reported, and how many that covers: itself, and the earlier
// ones that were not.
func (q *Quota) Pass(now time.Time) (times int, ok bool) {
	q.unreported++
	if !q.Take(now) {
		return 0, false
	}
	times, q.unreported = q.unreported, 0
	return times, true
}

// Peer returns the quota of reports that one peer can cause: its errors, its refusals, its
// unreadable messages.
func Peer() Quota { return Quota{Share: Share{Burst: 20, PerSecond: 1. / 6}} }

// Times returns how many occurrences an event covers, as the event has it: 0 for itself alone.
func Times(n int) int {
	if n == 1 {
		return 0
	}
	return n
}
