package plan

import (
	"math"
	"time"
)

// Limiter limits what one of several may use of a common resource: Burst at once, and then
// PerSecond. A new one is full.
type Limiter struct {
	Burst     int
	PerSecond float64 // more than 0

	used float64   // of Burst
	at   time.Time // when that was so
}

// Take takes one, and reports whether there was one.
func (l *Limiter) Take(now time.Time) bool {
	l.refill(now)
	if l.used+1 > float64(l.Burst) {
		return false
	}
	l.used++
	return true
}

// Wait returns how long it is until there is one.
func (l *Limiter) Wait(now time.Time) time.Duration {
	l.refill(now)
	lacks := max(l.used+1-float64(l.Burst), 0)
	// never 0 where Take fails
	return time.Duration(math.Ceil(lacks / l.PerSecond * float64(time.Second)))
}

// refill adds what has come back. A clock that goes backwards brings nothing.
func (l *Limiter) refill(now time.Time) {
	l.used = max(0, l.used-l.PerSecond*max(now.Sub(l.at).Seconds(), 0))
	l.at = now
}

// Quota is a Limiter of what is reported, with a count of what is not.
type Quota struct {
	Limiter
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
func Peer() Quota { return Quota{Limiter: Limiter{Burst: 20, PerSecond: 1. / 6}} }

// Times returns how many occurrences an event covers, as the event has it: 0 for itself alone.
func Times(n int) int {
	if n == 1 {
		return 0
	}
	return n
}
