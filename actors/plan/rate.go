package plan

import (
	"math"
	"time"
)

// Rate measures how often something happens, from a count of it that is reported now and then. The
// zero Rate knows nothing.
type Rate struct {
	count     int64
	at        time.Time // of count; zero: there was none
	perSecond float64
	known     bool
}

// rateOver is the least time that a rate is taken over: more frequent counts would make it jump.
const rateOver = time.Second

// Count takes the count at a moment. A count that has fallen is another counter's: the rate is
// unknown until the next.
func (r *Rate) Count(count int64, now time.Time) {
	over := now.Sub(r.at)
	switch {
	case r.at.IsZero() || count < r.count || over < 0:
		*r = Rate{count: count, at: now}
	case over >= rateOver:
		*r = Rate{count: count, at: now, perSecond: float64(count-r.count) / over.Seconds(), known: true}
	}
}

// PerSecond returns the rate over the last two counts, to a tenth; -1: unknown.
func (r Rate) PerSecond() float64 {
	if !r.known {
		return -1
	}
	return math.Round(r.perSecond*10) / 10
}
