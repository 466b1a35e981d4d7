package plan

import "time"

// ForgivenFor is how long a process may be late, beyond its time, while its machine is short of CPU
// time.
const ForgivenFor = time.Minute

// Lateness is what to do about a process that is late.
type Lateness int

const (
	LateKill Lateness = iota // it hangs
	LateWait                 // its machine is short of CPU time, and it may be well
	LateAsk                  // it was given time enough: it may be killed when it is its turn, one process of the machine at a time
)

// Late returns what to do about a process that has been late for so long. starved: the machine is
// short of CPU time. allowed: it is its turn.
func Late(starved, allowed bool, late time.Duration) Lateness {
	switch {
	case !starved || allowed:
		return LateKill
	case late < ForgivenFor:
		return LateWait
	default:
		return LateAsk
	}
}

// stretchMost is how many starts that were too slow make the next one's time twice as long.
const stretchMost = 2

// Stretched is a time limit of a start behind so many that were too slow: twice as long each time,
// four times at most.
func Stretched(limit time.Duration, slow int) time.Duration {
	return limit << min(slow, stretchMost)
}

// killTurn is how long a process that was killed for being late has, until all its shards are
// READY, before the next one may be killed.
const killTurn = 3 * time.Minute

// KillTurn is which cluster of a machine was killed last for being late while CPU time is short.
// The zero value is nobody's.
type KillTurn struct {
	of    int
	since time.Time
}

// Take reports whether a cluster may be killed at now, and takes the turn for it. back: the one
// that had it serves again, or is no more.
func (t *KillTurn) Take(cluster int, back bool, now time.Time) bool {
	if t.of != cluster && !back && now.Sub(t.since) < killTurn {
		return false
	}
	t.of, t.since = cluster, now
	return true
}

// Of returns the cluster whose turn it was last.
func (t KillTurn) Of() int { return t.of }
