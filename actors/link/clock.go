package link

import (
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// Clocks converts the times of packets to this machine's (world.Clocks).
type Clocks interface {
	FromWall(messages.UnixMillis) time.Time
	FromSteady(messages.UnixMillis) time.Time
	SteadyAhead() time.Duration
}

// clock holds what the packets of a link show of MASTER's clock.
type clock struct {
	wall   plan.Transit // by this machine's wall clock
	steady plan.Transit // by its steady clock
	exact  bool         // a packet came promptly after its request
}

// atOnce is the longest delay of an answer whose time is exact enough for slots: the clocks of two
// machines may differ by 500 ms (PROTOCOL B3). A later one may have waited in the socket while this
// machine was suspended.
const atOnce = 500 * time.Millisecond

// hear updates the settings from the time in a packet of MASTER and reports whether they changed.
// The packet was requested at asked; zero: unknown. The quickest packet shows the clock best.
// A prompt answer that looks late proves that a clock was set. The age of a packet is measured by
// the wall clock, because it may have waited while the machine was suspended; slots use the steady
// clock, because they must not move.
func (l *Link) hear(at *messages.UnixMillis, asked time.Time) (changed bool) {
	if at == nil {
		return false
	}
	before := l.settings
	clocks := l.options.Clocks
	quick := !asked.IsZero() && -l.left(asked) <= atOnce
	l.settings.ClockAhead = l.clock.wall.Heard(clocks.FromWall(*at), l.now, quick, atOnce)
	ahead := l.clock.steady.Heard(clocks.FromSteady(*at), l.now, quick, atOnce)
	if l.clock.exact = l.clock.exact || quick; l.clock.exact {
		l.settings.SlotsAhead = ahead + clocks.SteadyAhead()
	}
	return l.settings != before
}
