package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// The three-restart rule (seed; figures DESIGN §4).
const (
	MaxRestarts = 3 // of a cluster that never served: one start, three restarts

	firstDelay = time.Second
	maxDelay   = time.Minute
	jitter     = 0.2

	healthyAfter = time.Minute // of service: its death is no habit yet

	flapCount  = 5
	flapWindow = 10 * time.Minute

	brokenCount  = 10
	brokenWindow = time.Minute
)

// History is what is remembered of one cluster's deaths. The zero value is a fresh budget.
type History struct {
	Causes []string      // of the failed starts in a row, what each died of
	delay  time.Duration // the wait before the last restart after a short service
	flaps  []time.Time   // deaths within healthyAfter of READY, the newest flapCount
	broken []time.Time   // panics of ours, the newest brokenCount
}

// Failure is one death of a cluster's run.
type Failure struct {
	Cause  messages.Cause
	UpFor  time.Duration // how long every shard had been READY at least once; 0: it never served
	Detail string
}

// Action is what to do about a Failure.
type Action int

const (
	RestartAfter Action = iota
	GiveUp              // it never properly started, and the budget is spent
	Fatal               // no restart cures it
	Detach              // our own code keeps failing on it: leave the process alone
)

// Verdict is the answer of Restart.
type Verdict struct {
	Action   Action
	After    time.Duration // with RestartAfter
	Attempt  int           // failed starts in a row
	Flapping bool          // say cluster.flapping
}

// Restart is the three-restart rule: it takes one more failure into the history and says what to do. random is in [0,1).
func Restart(h History, f Failure, now time.Time, random float64) (History, Verdict) {
	switch {
	case f.Cause == messages.CauseFatal:
		return h, Verdict{Action: Fatal}
	case f.Cause == messages.CauseInternal:
		if h.broken = recent(h.broken, now, brokenWindow, brokenCount); len(h.broken) == brokenCount {
			return h, Verdict{Action: Detach}
		}
		return h, Verdict{After: Jitter(firstDelay, jitter, random)}
	case f.UpFor <= 0:
		h.Causes = append(h.Causes[:len(h.Causes):len(h.Causes)], f.Detail)
		if n := len(h.Causes); n > MaxRestarts {
			return h, Verdict{Action: GiveUp, Attempt: n}
		}
		n := len(h.Causes)
		return h, Verdict{Attempt: n, After: Jitter(firstDelay<<(n-1), jitter, random)}
	case f.UpFor >= healthyAfter:
		return History{}, Verdict{}
	default:
		h.Causes = nil
		h.delay = min(max(2*h.delay, firstDelay), maxDelay)
		h.flaps = recent(h.flaps, now, flapWindow, flapCount)
		v := Verdict{After: Jitter(h.delay, jitter, random), Flapping: len(h.flaps) == flapCount}
		if v.Flapping {
			h.flaps = nil // said; the next five say it again
		}
		return h, v
	}
}

// recent adds now to times, drops what is older than window, and keeps the newest most.
func recent(times []time.Time, now time.Time, window time.Duration, most int) []time.Time {
	var kept []time.Time
	for _, t := range append(times[:len(times):len(times)], now) {
		if now.Sub(t) < window {
			kept = append(kept, t)
		}
	}
	return kept[max(0, len(kept)-most):]
}
