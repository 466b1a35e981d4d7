package master

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file answers, and reports, requests that the day's budget does not allow.

// Waits while the budget is low.
const (
	// after this, at the latest, a request that was put off comes again
	putOffMax    = time.Minute
	recountEvery = time.Minute // Discord is asked no more often, however many are put off
)

// putOff answers a machine that only the reserve is left of the day's identifies, or less than its
// request needs.
func (g *Governor) putOff(ctx actor.Context, a requester, w plan.Want, now time.Time) {
	// it is lent to machines that are linked, and will not be lent again
	if out, _ := g.pacer.Out(now); g.budget.Allows(w.Cause, w.Cost(), out) && g.present() {
		ctx.Send(a.machine, deliver{messages.PermitAnswer{ID: a.id, RetryAfterMS: messages.Millis(lentWait), Reason: "budget"}})
		return
	}
	g.largest = max(g.largest, w.Cost())
	if !g.impossibleReported && !g.budget.Ever(w.Cause, w.Cost()) {
		g.impossibleReported = true
		ctx.Send(g.fleet, raised{messages.IdentifyImpossible{Source: w.Owner, Shard: w.Shard, Cause: w.Cause, Wanted: w.Cost(), Total: g.budget.Total, Reserve: g.budget.Reserve}})
	}
	ctx.Send(a.machine, deliver{messages.PermitAnswer{ID: a.id, RetryAfterMS: messages.Millis(min(putOffMax, max(g.budget.Reset.Sub(now), time.Second))), Reason: "budget"}})
	g.recount(ctx, now)
}

// look reports once that the budget is low, until there is more.
func (g *Governor) look(ctx actor.Context, now time.Time) {
	held := 0
	if g.largest > 0 {
		held = g.withheld(now)
	}
	low := g.budget.Spend(held).Low(max(g.largest, 1))
	switch {
	case !low:
		g.largest = 0
	case !g.lowReported:
		ctx.Send(g.fleet, raised{messages.IdentifyBudgetLow{Remaining: g.budget.Remaining, Total: g.budget.Total, Reserve: g.budget.Reserve, Lent: held, Wanted: g.largest,
			ResetInMS: messages.Millis(g.budget.Reset.Sub(now))}})
	}
	g.lowReported = low
}
