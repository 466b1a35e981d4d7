package plan

import "time"

// drift is the most by which two clocks part, of the time that goes by.
const drift = 100e-6

// Transit tells how long the messages of one direction of a link were under way, by the clocks of sender and receiver, which need not agree: how long beyond the quickest
// of them, which the drift of the clocks makes forget in time. The zero Transit has seen none.
type Transit struct {
	least time.Duration // the receiver's clock minus the sender's, and the way of the quickest
	at    time.Time     // when that was so; zero: never
}

// Took takes note of a message, and gives how much longer it took than the quickest.
func (t *Transit) Took(sent, now time.Time) time.Duration {
	took := now.Sub(sent)
	least := t.least + time.Duration(drift*float64(now.Sub(t.at)))
	if t.at.IsZero() || took < least {
		least = took
	}
	t.least, t.at = least, now
	return took - least
}

// Heard takes note of a message, and gives Ahead. quick: it answers one that was sent at most
// within ago; if it looks later than that, one of the clocks was set, and what was known of them is
// forgotten.
func (t *Transit) Heard(sent, now time.Time, quick bool, within time.Duration) time.Duration {
	if t.Took(sent, now) > within && quick {
		*t = Transit{}
		t.Took(sent, now)
	}
	return t.Ahead()
}

// Ahead is the sender's clock minus the receiver's: never more than that, and less by the way of the quickest message.
func (t *Transit) Ahead() time.Duration { return -t.least }
