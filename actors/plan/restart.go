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

	healthyAfter = time.Minute // of service: then its death is no habit

	flapCount  = 5
	flapWindow = 10 * time.Minute

	brokenCount  = 10
	brokenWindow = time.Minute
)

// heldFactor is the growth of each wait for trouble that passes over the previous one, in halves:
// slow enough that a deployment of seconds costs seconds.
const heldFactor = 3

// History is the record of one cluster's deaths. The zero value is a fresh budget.
type History struct {
	Causes []string      // of the failed starts in a row, what each died of
	held   time.Duration // the wait before the last restart after trouble that passes
	delay  time.Duration // the wait before the last restart after a short service
	short  time.Time     // when a short service ended last
	flaps  []time.Time   // deaths within healthyAfter of READY, the newest flapCount
	broken []time.Time   // panics of CONTROL, the newest brokenCount
}

// Served returns the history of a cluster whose shards were all READY: the next failed start is the
// first one, also where this run ends by an order.
func (h History) Served() History {
	h.Causes = nil
	return h
}

// Class is the source of a failure. Only the bot's own consumes a restart; what passes by itself is
// waited out.
type Class int

const (
	ClassBot     Class = iota // the bot, or how it is configured
	ClassHost                 // this machine: folders, disk, files, memory, processes, the program, CPU time
	ClassDiscord              // Discord cannot be reached, or throws out many shards
	ClassOurs                 // a panic of CONTROL's own code
	ClassFatal                // a close code that no restart repairs
)

// String returns the class in one word, as events have it.
func (c Class) String() string {
	return [...]string{"bot", "host", "discord", "ours", "fatal"}[c]
}

// Passes reports whether trouble of the class ends by itself, so that it never consumes a restart.
func (c Class) Passes() bool { return c == ClassHost || c == ClassDiscord }

// Failure is one death of a cluster's run.
type Failure struct {
	Cause     messages.Cause
	UpFor     time.Duration // how long every shard had been READY at least once; 0: it never served
	Detail    string
	Unstarted bool // this machine could not start the process: there never was one
	Starved   bool // this machine was short of CPU time when the process was late
	Outage    bool // Discord had thrown out more than a fifth of this machine's shards
}

// ClassOf returns the class of a failure.
func ClassOf(f Failure) Class {
	switch f.Cause {
	case messages.CauseFatal:
		return ClassFatal
	case messages.CauseInternal:
		return ClassOurs
	case messages.CauseHelloTimeout, messages.CauseMute, messages.CauseStartTimeout, messages.CauseIPCLost:
		if f.Starved {
			return ClassHost
		}
	}
	switch {
	case f.Unstarted:
		return ClassHost
	case !f.Outage:
		return ClassBot
	case f.Cause == messages.CauseStartTimeout, f.Cause == messages.CauseShardsLost,
		// a bot that cannot log in exits, as most do
		f.UpFor <= 0 && (f.Cause == messages.CauseExited || f.Cause == messages.CauseStartFailed):
		return ClassDiscord
	default:
		return ClassBot
	}
}

// Action is the decision about a Failure.
type Action int

const (
	RestartAfter Action = iota
	GiveUp              // it never properly started, and the budget is spent
	Fatal               // no restart repairs it
	Detach              // CONTROL's own code keeps failing on it: leave the process alone
)

// Verdict is the answer of Restart.
type Verdict struct {
	Action   Action
	Class    Class
	After    time.Duration // with RestartAfter
	Attempt  int           // failed starts in a row
	Flapping bool          // report cluster.flapping
}

// Restart applies the three-restart rule: it takes one more failure into the history and returns
// what to do. random is in [0,1).
func Restart(h History, f Failure, now time.Time, random float64) (History, Verdict) {
	class := ClassOf(f)
	switch h.held = h.held * heldFactor / 2; {
	case !class.Passes():
		h.held = 0
	case f.UpFor >= healthyAfter:
		h = History{held: firstDelay}
	default:
		h.held = min(max(h.held, firstDelay), maxDelay)
	}
	switch {
	case class == ClassFatal:
		return h, Verdict{Class: class, Action: Fatal}
	case class == ClassOurs:
		if h.broken = recent(h.broken, now, brokenWindow, brokenCount); len(h.broken) == brokenCount {
			return h, Verdict{Class: class, Action: Detach}
		}
		return h, Verdict{Class: class, After: Jitter(firstDelay, jitter, random)}
	case class.Passes():
		return h, Verdict{Class: class, After: Jitter(h.held, jitter, random)}
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
		if h.short.IsZero() || now.Sub(h.short) >= flapWindow { // one death is no habit
			h.delay = 0
		} else {
			h.delay = min(max(2*h.delay, firstDelay), maxDelay)
		}
		h.short = now
		h.flaps = recent(h.flaps, now, flapWindow, flapCount)
		v := Verdict{After: Jitter(h.delay, jitter, random), Flapping: len(h.flaps) == flapCount}
		if v.Flapping {
			h.flaps = nil // reported; the next five report it again
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
