package plan

import "time"

// forgivenFor is the time by which a process may be late while its machine is short of CPU time.
const forgivenFor = time.Minute

// Lateness is the decision about a late process.
type Lateness int

const (
	LateKill Lateness = iota // it hangs: kill it
	LateWait                 // its machine is short of CPU time, and it may be healthy
	LateAsk                  // it had time enough: it may be killed at its turn, one process of the machine at a time
)

// Late returns what to do about a process that is late by late. starved: the machine is short of
// CPU time. allowed: it is its turn.
func Late(starved, allowed bool, late time.Duration) Lateness {
	switch {
	case !starved || allowed:
		return LateKill
	case late < forgivenFor:
		return LateWait
	default:
		return LateAsk
	}
}

// stretchMost limits how many too slow starts double the time of the next one.
const stretchMost = 2

// Stretched returns the time limit of a start after slow starts that were too slow: doubled for
// each, at most four times limit.
func Stretched(limit time.Duration, slow int) time.Duration {
	return limit << min(slow, stretchMost)
}

// killTurn is the time a process killed for being late has until all its shards are READY, before
// the next one may be killed.
const killTurn = 3 * time.Minute

// KillTurn is the cluster of a machine that was killed last for being late while CPU time is short.
// The zero value names none.
type KillTurn struct {
	of    int
	since time.Time
}

// Take reports whether a cluster may be killed at now, and takes the turn for it. back: the cluster
// that had the turn serves again, or was removed.
func (t *KillTurn) Take(cluster int, back bool, now time.Time) bool {
	if t.of != cluster && !back && now.Sub(t.since) < killTurn {
		return false
	}
	t.of, t.since = cluster, now
	return true
}

// Of returns the cluster that had the turn last.
func (t KillTurn) Of() int { return t.of }
