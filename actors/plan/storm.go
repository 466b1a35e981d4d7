package plan

import "time"

// A cluster that identifies more often within stormWindow uses up the day's budget of the whole
// bot. One that can resume nothing identifies at each start: the starts that the three-restart rule
// grants are no storm. Sessions that Discord ended are not the bot's fault, and are counted for
// each shard alone: beyond InvalidatedMost it is no incident of Discord's any more, or one that has
// to be waited out.
const (
	stormFactor      = 2
	stormFactorBlind = MaxRestarts + 1
	stormWindow      = 10 * time.Minute

	// InvalidatedMost is the number of identifies of one shard, whose session Discord ended, that are
	// no storm.
	InvalidatedMost = 6
)

// The pace a storm is slowed down to: a batch of identifies, a wait, a batch, and each wait twice
// as long as the previous one.
const (
	stormFirst   = time.Minute
	stormLongest = 4 * time.Hour
)

// StormAfter returns how many identifies of a cluster are no storm. blind: it can resume nothing.
func StormAfter(shards int, blind bool) int {
	if blind {
		return stormFactorBlind * shards
	}
	return stormFactor * shards
}

// Storm slows down identifies that come too often, so that a day's budget lasts. It delays, and
// ends nothing. The zero value has seen nothing.
type Storm struct {
	sent  []time.Time   // identifies within stormWindow
	wait  time.Duration // before the next batch; 0: nothing is held back
	next  time.Time     // when the present batch begins
	left  int           // identifies that are left of it
	asked time.Time     // last request
}

// Held reports whether identifies are held back.
func (s Storm) Held() bool { return s.wait > 0 }

// Sent records one identify that was sent at now.
func (s Storm) Sent(now time.Time) Storm {
	s.sent = recent(s.sent, now, stormWindow, stormMost)
	return s
}

// stormMost bounds what is remembered: the largest cluster, four times.
const stormMost = 1 << 14

// Count returns how many identifies were sent within the window before now.
func (s Storm) Count(now time.Time) int {
	n := 0
	for _, t := range s.sent {
		if now.Sub(t) < stormWindow {
			n++
		}
	}
	return n
}

// Ask returns how long n identifies that are requested at now are held back; 0: they are let
// through. most of them within the window are no storm, and batch is let through at once in one. A
// storm is over when nothing was requested for the length of the window, and twice the last wait.
func (s Storm) Ask(now time.Time, n, most, batch int) (Storm, time.Duration) {
	if s.Held() && now.Sub(s.asked) >= max(stormWindow, 2*s.wait) {
		s = Storm{sent: s.sent}
	}
	s.asked = now
	if !s.Held() {
		if s.Count(now)+n <= most {
			return s, 0
		}
		s.wait, s.next, s.left = stormFirst, now.Add(stormFirst), batch
	}
	if now.Before(s.next) {
		return s, s.next.Sub(now)
	}
	if s.left -= n; s.left <= 0 {
		s.wait = min(2*s.wait, stormLongest)
		s.next, s.left = now.Add(s.wait), batch
	}
	return s, 0
}
