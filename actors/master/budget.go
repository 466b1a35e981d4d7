package master

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is what the governor answers, and reports, when the day's budget does not allow what
// somebody wants.

// Limits of the budget's talk.
const (
	putOffMax    = time.Minute // a wish that is put off comes again so soon, at the latest
	recountEvery = time.Minute // Discord is asked no more often, however many are put off
)

// putOff tells a machine that the day's identifies are used up, but for the reserve, or that what
// is left is not enough for its wish.
func (g *Governor) putOff(ctx actor.Context, a asker, w plan.Want, now time.Time) {
	if out, _ := g.pacer.Out(now); g.budget.Allows(w.Cause, w.Cost(), out) && g.present() { // it is lent to machines that are there, and will be lent no more
		ctx.Send(a.machine, deliver{messages.PermitAnswer{ID: a.id, RetryAfterMS: messages.Millis(lentWait), Reason: "budget"}})
		return
	}
	g.lacks = max(g.lacks, w.Cost())
	if !g.vain && !g.budget.Ever(w.Cause, w.Cost()) {
		g.vain = true
		ctx.Send(g.fleet, said{messages.IdentifyImpossible{Source: w.Owner, Shard: w.Shard, Cause: w.Cause, Wanted: w.Cost(), Total: g.budget.Total, Reserve: g.budget.Reserve}})
	}
	ctx.Send(a.machine, deliver{messages.PermitAnswer{ID: a.id, RetryAfterMS: messages.Millis(min(putOffMax, max(g.budget.Reset.Sub(now), time.Second))), Reason: "budget"}})
	g.recount(ctx, now)
}

// look says once that the budget is low, until there is more.
func (g *Governor) look(ctx actor.Context, now time.Time) {
	held := 0
	if g.lacks > 0 {
		held = g.withheld(now)
	}
	low := g.budget.Spend(held).Low(max(g.lacks, 1))
	switch {
	case !low:
		g.lacks = 0
	case !g.low:
		ctx.Send(g.fleet, said{messages.IdentifyBudgetLow{Remaining: g.budget.Remaining, Total: g.budget.Total, Reserve: g.budget.Reserve, Lent: held, Wanted: g.lacks,
			ResetInMS: messages.Millis(g.budget.Reset.Sub(now))}})
	}
	g.low = low
}
