package plan

import "time"

// Lag decides whether a shard's bot lags, from the age of the oldest event that it has not
// acknowledged. The zero Lag does not.
type Lag struct{ on bool }

// lagAfter is the age that is a lag; one below half of it is the end. A bot that keeps up
// acknowledges within 20 s: by its heartbeats, where it is not asked for them. One without
// heartbeats loses its connection after 45 s.
const lagAfter = 45 * time.Second

// Step takes the age of now, and reports whether a lag began or ended.
func (l *Lag) Step(age time.Duration) (changed bool) {
	was := l.on
	l.on = age >= lagAfter || was && age >= lagAfter/2
	return l.on != was
}

// On reports whether the bot lags.
func (l Lag) On() bool { return l.on }
