package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// Turn is the start of a range on a CONTROL that asks for no permits: it paces itself, so nobody else may identify meanwhile.
type Turn struct {
	Shards messages.ShardRange
	Began  time.Time // zero: it is to come
	Done   bool      // everything is up, or will not come up
}

// NextTurn gives the turn that is to begin now, -1 for none, and until when, at most, the one that is under way holds up the others: zero where none is.
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

// Quiet is how long after the last permit that was granted nothing of it can disturb another's identify.
func Quiet(ttl, margin time.Duration) time.Duration {
	return Lead + ttl + lostReport + IdentifyEvery + margin
}
