package master

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
)

// This file is what becomes of a machine whose link is lost.
//
//	linked ──lost──▶ expected ──grace──▶ replaced ──an hour──▶ forgotten
//	   ▲                │                   │
//	   └────────────────┴──── it returns ───┘
//
// Expected, it keeps what it serves. Replaced, what it served is given away, with its sessions; should it return, it is told what it lost, and becomes a spare.
// Nothing is decided while nobody is linked, nor by a timer that comes late: then it was us who were away.

// What MASTER tells itself about a machine that is away; losses tells one absence from another.
type (
	graceOver struct {
		source string
		losses int
		due    time.Time
	}
	forgetDue struct {
		source string
		losses int
	}
)

// These may come after MASTER has stopped; that is no news.
func (graceOver) IgnoreDeadLetterLogging() {}
func (forgetDue) IgnoreDeadLetterLogging() {}

// returnWithin is how long a CONTROL may take to come back to a MASTER that was away: its longest
// wait between two dials, 30 s + 10 % (PROTOCOL B1), and its greeting.
const returnWithin = 36 * time.Second

// expect gives a machine that is away the time to come back.
func (f *Fleet) expect(ctx actor.Context, s *seat, within time.Duration) {
	s.due = time.Now().Add(within)
	f.After(ctx, within, graceOver{s.source, s.losses, s.due})
}

// expectAll gives it to everybody who is away, anew, and enough of it even if it was us who were away.
func (f *Fleet) expectAll(ctx actor.Context) {
	for _, s := range f.inOrder() {
		if s.link == nil {
			s.losses++
			f.expect(ctx, s, max(f.options.Grace, returnWithin))
		}
	}
}

// awaits reports whether what nobody here serves may be somebody's who comes back yet, from before this life of ours: where there was a MASTER before, everybody has as long
// to come back to us as if it had been lost when the first came back, for until then it may be us whom nobody reached, and as long to stop what it serves.
func (f *Fleet) awaits() bool {
	switch {
	case !f.heir.IsZero():
		return time.Since(f.heir) < max(f.options.Grace, returnWithin)
	case f.options.Lease > 0 && !f.options.Alone:
		return time.Since(f.began) < f.options.Lease+leaseMargin
	}
	return false
}

// graceOver gives away what a machine served that did not return.
func (f *Fleet) graceOver(ctx actor.Context, m graceOver) {
	s := f.seats[m.source]
	switch {
	case s == nil || s.link != nil || s.losses != m.losses:
	case f.State() != "serving" || f.present() == 0: // begin, or the first who is back, begins the wait anew
	case time.Since(m.due) > f.options.Heartbeat: // we slept
		f.expectAll(ctx)
	default:
		f.replace(ctx, s)
	}
}

func (f *Fleet) replace(ctx actor.Context, s *seat) {
	s.over = true
	if len(s.granted) > 0 {
		replaced := messages.MachineReplaced{Source: s.source, AwayMS: messages.Millis(time.Since(s.lostAt))}
		for _, r := range s.granted {
			replaced.Shards = append(replaced.Shards, r.String())
		}
		f.raise(replaced)
		s.granted, s.leaving, s.lapsed = nil, nil, time.Now()
		f.epoch++ // what is granted from now on outranks what that machine serves, should it and a MASTER to come meet again
	}
	f.After(ctx, forgetAfter, forgetDue{s.source, s.losses})
	f.settle(ctx)
}

// forget frees the name and the slots of a machine that is away for long.
func (f *Fleet) forget(ctx actor.Context, m forgetDue) {
	if s := f.seats[m.source]; s != nil && s.link == nil && s.losses == m.losses {
		delete(f.seats, m.source)
		f.sorted = nil
		f.raise(messages.MachineForgotten{Source: s.source, AwayMS: messages.Millis(time.Since(s.lostAt))})
		f.settle(ctx)
	}
}
