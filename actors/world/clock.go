package world

import (
	"time"

	"github.com/discluster/control/messages"
)

// Clocks read and write times that leave this run of the process. A machine has three clocks, and
// no two of them may be compared:
//
//   - time.Now measures. It never jumps, and means nothing outside.
//   - The wall clock is for files, which the next run reads. It may be wrong, and may be set at any
//     moment.
//   - The steady clock is for packets: the wall clock as this run began, and what was measured
//     since. A peer uses differences of it.
//
// AtWall and FromWall convert the first to the second and back, AtSteady and FromSteady to the
// third.
type Clocks struct {
	wall         func() time.Time
	began, shown time.Time // when this run began, and what the wall clock showed
}

// NewClocks begins the clocks of one run; wall reads the machine's wall clock.
func NewClocks(wall func() time.Time) Clocks {
	return Clocks{wall: wall, began: time.Now(), shown: wall().Round(0)}
}

// Now returns time.Now, and never jumps: neither what it measures, nor what it shows.
func (c Clocks) Now() time.Time { return c.began.Add(time.Since(c.began)) }

// SteadyAhead returns how far the steady clock is ahead of what Now shows.
func (c Clocks) SteadyAhead() time.Duration { return c.shown.Sub(c.began.Round(0)) }

// AtWall returns a time as the wall clock shows it, by the clock as it is set now.
func (c Clocks) AtWall(t time.Time) messages.UnixMillis {
	return messages.At(c.wall().Round(0).Add(time.Until(t)))
}

// FromWall returns when the wall clock showed at, by the clock as it is set now.
func (c Clocks) FromWall(at messages.UnixMillis) time.Time {
	return time.Now().Add(at.Time().Sub(c.wall().Round(0)))
}

// AtSteady returns a time as this run's steady clock shows it.
func (c Clocks) AtSteady(t time.Time) messages.UnixMillis {
	return messages.At(c.shown.Add(t.Sub(c.began)))
}

// FromSteady returns when this run's steady clock showed at.
func (c Clocks) FromSteady(at messages.UnixMillis) time.Time {
	return c.began.Add(at.Time().Sub(c.shown))
}
