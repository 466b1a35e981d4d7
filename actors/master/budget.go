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
	putOffMax    = time.Minute // until a request that was put off comes again, at most
	recountEvery = time.Minute // Discord is asked no more often, however many are put off
)

// putOff refuses a request that the day's budget does not allow: only the reserve is left, or less
// than it needs.
func (g *Governor) putOff(ctx actor.Context, a requester, w plan.Want, now time.Time) {
	// what it needs is lent to machines that are linked, and will not be lent again
	if out, _ := g.pacer.Out(now); g.budget.Allows(w.Cause, w.Cost(), out) && g.present() {
		ctx.Send(a.machine, deliver{packet: messages.PermitAnswer{ID: a.id, RetryAfterMS: messages.Millis(lentWait), Reason: "budget"}})
		return
	}
	g.largest = max(g.largest, w.Cost())
	if !g.impossibleReported && !g.budget.Ever(w.Cause, w.Cost()) {
		g.impossibleReported = true
		ctx.Send(g.fleet, raised{messages.IdentifyImpossible{Source: w.Owner, Shard: w.Shard, Cause: w.Cause, Wanted: w.Cost(), Total: g.budget.Total, Reserve: g.budget.Reserve}})
	}
	ctx.Send(a.machine, deliver{packet: messages.PermitAnswer{ID: a.id, RetryAfterMS: messages.Millis(min(putOffMax, max(g.budget.Reset.Sub(now), time.Second))), Reason: "budget"}})
	g.recount(ctx, now)
}

// reportLow reports that the budget is low, once until there is more.
func (g *Governor) reportLow(ctx actor.Context, now time.Time) {
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
