package gate

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file limits what the gate spends of the day's budget while MASTER is away, or does not know
// the budget, to this machine's share. The share is on disk before a permit is sent.

// ownShare is this machine's share of the budget. Without a share there is no limit.
type ownShare struct {
	share    messages.BudgetShare
	onDisk   messages.BudgetShare
	reported messages.BudgetShare // to MASTER
	unread   bool                 // the file with the remaining share could not be read
	low      bool                 // used up, and reported
}

// refusedFor is the pause before a request that the share refused is tried again. MASTER may be
// back by then.
const refusedFor = time.Minute

// take accepts a share from MASTER and confirms it once it is on disk. It ignores the share while
// permits paid from the previous one are out, or were spent unknown to MASTER: MASTER repeats it.
func (g *Gate) take(ctx actor.Context, s messages.BudgetShare) {
	if s.ID == g.share.ID {
		g.reportShare(ctx) // MASTER has no confirmation, or it was lost
		return
	}
	if g.left() != g.reported {
		g.reportShare(ctx)
		return
	}
	if g.outOfShare(time.Now()) > 0 {
		return
	}
	g.share, g.unread, g.low, g.stale = s, false, false, true
	g.save(ctx)
}

// affords reports whether the share allows a request.
func (g *Gate) affords(ctx actor.Context, w plan.Want) bool {
	b := plan.Alone(g.share)
	if b.Allows(w.Cause, w.Cost(), g.unreported(time.Now())) {
		return true
	}
	if !g.low {
		g.low = true
		ctx.Send(g.addresses.Events, messages.IdentifyBudgetLow{Remaining: b.Remaining, Total: b.Total, Reserve: b.Reserve, Wanted: w.Cost(), Alone: true})
	}
	return false
}

// unreported counts the permits that may still be used.
func (g *Gate) unreported(now time.Time) (n int) {
	for _, p := range g.out {
		if now.Before(p.UseBefore) {
			n++
		}
	}
	return n
}

// outOfShare returns the identifies paid from the present share for permits that may still be used.
func (g *Gate) outOfShare(now time.Time) (n int) {
	for _, p := range g.out {
		if now.Before(p.UseBefore) && p.share == g.share.ID {
			n += p.spent
		}
	}
	return n
}

// left returns the share that is on disk with what may still be spent of it.
func (g *Gate) left() messages.BudgetShare {
	s := g.onDisk
	if s.ID == g.share.ID {
		s.Remaining = g.share.Remaining + g.outOfShare(time.Now())
	}
	return s
}

// reportShare reports to MASTER what may still be spent of the share.
func (g *Gate) reportShare(ctx actor.Context) {
	g.reported = g.left()
	ctx.Send(g.addresses.MasterLink, messages.ShareLeft{Share: g.reported})
}

// refuse defers a granted request that cannot be paid for and frees its bucket for the next one.
func (g *Gate) refuse(ctx actor.Context, w plan.Want) {
	if g.State() == "asking" {
		ctx.Send(g.addresses.MasterLink, messages.PermitReport{ID: w.ID, Sent: false})
	}
	g.pacer.Report(w.ID, false, time.Now(), time.Time{})
	g.requests[w.ID] = w
	g.retryIn(ctx, w.ID, refusedFor)
}

// takeBack ends a permit that cannot be paid for because the save failed.
func (g *Gate) takeBack(ctx actor.Context, p *permit) {
	if g.out[p.ID] != p {
		return
	}
	g.end(p)
	g.giveBack(p, p.spent)
	g.requesters[p.ID] = p.requester
	g.refuse(ctx, p.want)
}

// pay takes the cost of a permit from the share and returns it.
func (g *Gate) pay(w plan.Want) int {
	if g.share.ID == 0 {
		return 0
	}
	g.share.Remaining -= w.Cost()
	return w.Cost()
}

// giveBack returns n unused identifies of a permit to the share. It returns none that MASTER counts
// as spent: because another share followed, or because they were reported so after the permit's
// end.
func (g *Gate) giveBack(p *permit, n int) {
	if n <= 0 || p.share != g.share.ID {
		return
	}
	if g.reported.ID == p.share {
		n = min(n, g.reported.Remaining-g.left().Remaining)
	}
	g.share.Remaining += n
	g.stale = true
}
