package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// Turn is the start of a range on a CONTROL that asks for no permits: it paces itself, so no other
// machine may identify during it.
type Turn struct {
	Shards messages.ShardRange
	Began  time.Time // zero: it has not begun
	Done   bool      // everything is up, or will not come up
}

// NextTurn returns the turn to begin now, -1 for none, and until when, at most, the running one
// blocks the others: zero where none is.
func NextTurn(turns []Turn, now time.Time) (next int, until time.Time) {
	next = -1
	for i, t := range turns {
		switch end := t.Began.Add(StockStart(t.Shards)); {
		case t.Done:
		case t.Began.IsZero():
			if next < 0 {
				next = i
			}
		case now.Before(end):
			until = later(until, end)
		}
	}
	if !until.IsZero() {
		next = -1
	}
	return next, until
}

// Quiet returns how long after the last granted permit its identify can still disturb another.
func Quiet(ttl, margin time.Duration) time.Duration {
	return Lead + ttl + lostReport + IdentifyEvery + margin
}
