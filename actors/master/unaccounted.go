package master

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file detects identifies that were not granted: those of a bot that asks for no permits, or
// of another program with the token. Only Discord counts them, so it is asked more often while
// there are signs of trouble.

// watch holds the counts of such identifies.
type watch struct {
	unpacedAt  time.Time // when a bot that cannot ask had its buckets last; zero: there is none
	counted    int       // identifies that were left by Discord's last answer
	missing    int       // identifies that were not granted, since the last report of them
	reportedAt time.Time
}

const (
	// watchEvery is the interval at which Discord is asked in any case.
	watchEvery = 15 * time.Minute
	// troubleFor is the time for which it is asked every minute after a start of a bot that cannot
	// ask.
	troubleFor = 2 * time.Minute
	// reportEvery is the least time between reports of identifies that were not granted.
	reportEvery = 10 * time.Minute
)

// startsUnpaced records that a bot which cannot ask for permits is about to start. After a crash it
// has Discord asked at once: its identifies may be why it died.
func (g *Governor) startsUnpaced(ctx actor.Context, w plan.Want, now time.Time) {
	if w.Hold == 0 {
		return
	}
	g.unpacedAt = now
	if w.Cause == messages.CauseCrash {
		g.recount(ctx, now)
	}
}

// recountDue has Discord asked if it is time.
func (g *Governor) recountDue(ctx actor.Context, now time.Time) {
	unwell := !g.unpacedAt.IsZero() && now.Sub(g.unpacedAt) < troubleFor
	if g.budget.Total > 0 && (unwell || g.uncounted() || now.Sub(g.asked) >= watchEvery) {
		g.recount(ctx, now)
	}
}

// account takes Discord's answer, and reports the identifies that were not granted.
func (g *Governor) account(ctx actor.Context, m fleet.Budget, now time.Time) {
	g.loans.endCount()
	before, fell := g.budget, g.counted-m.Remaining
	g.budget, g.counted = g.budget.Corrected(m.Budget, g.unseen, g.away()), m.Remaining
	if m.Blind || slices.ContainsFunc(m.Away, func(source string) bool { return g.of[source] == nil || g.of[source].unheard }) {
		return
	}
	missing := plan.Unaccounted(before, m.Budget, g.away())
	if g.missing += missing; missing == 0 || now.Sub(g.reportedAt) < reportEvery {
		return
	}
	ctx.Send(g.fleet, raised{messages.IdentifyUnaccounted{Unaccounted: g.missing, Granted: fell - missing, Remaining: m.Remaining, Total: m.Total,
		Likely: plan.UnaccountedBecause(g.missing, g.shards, !g.unpacedAt.IsZero())}})
	g.missing, g.reportedAt = 0, now
}
