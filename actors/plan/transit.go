package plan

import "time"

// drift is the largest rate by which two clocks diverge.
const drift = 100e-6

// Transit measures how long the messages of one direction of a link were under way, by the clocks
// of sender and receiver, which need not agree: how long beyond the quickest of them. Clock drift
// makes it forget the quickest in time. The zero Transit has seen none.
type Transit struct {
	least time.Duration // the receiver's clock minus the sender's, and the delay of the quickest
	at    time.Time     // when that was so; zero: never
}

// Delay records a message, and returns how much longer it took than the quickest.
func (t *Transit) Delay(sent, now time.Time) time.Duration {
	took := now.Sub(sent)
	least := t.least + time.Duration(drift*float64(now.Sub(t.at)))
	if t.at.IsZero() || took < least {
		least = took
	}
	t.least, t.at = least, now
	return took - least
}

// Heard records a message, and returns Ahead. quick: it answers one that was sent at most within
// ago; if it looks later than that, one of the clocks was set, and the earlier measurements are
// dropped.
func (t *Transit) Heard(sent, now time.Time, quick bool, within time.Duration) time.Duration {
	if t.Delay(sent, now) > within && quick {
		*t = Transit{}
		t.Delay(sent, now)
	}
	return t.Ahead()
}

// Ahead returns the sender's clock minus the receiver's: never more than that, and less by the
// delay of the quickest message.
func (t *Transit) Ahead() time.Duration { return -t.least }
