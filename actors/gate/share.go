package gate

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is what the gate spends of the day's budget while MASTER is away, or does not know that
// budget: this machine's share, and no more. It is on disk before a permit is given.

// ownShare is this machine's share. Without one it knows no limit.
type ownShare struct {
	share  messages.Share
	onDisk messages.Share
	unread bool // what was left of it could not be read
	low    bool // it is used up, and that was reported
}

// putOffFor is how long a wish waits that the share does not allow: MASTER may be back by then.
const putOffFor = time.Minute

// take takes a share of MASTER's, which hears that once it is on disk. While permits are out that
// were paid from the last share it takes none: MASTER repeats it.
func (g *Gate) take(ctx actor.Context, s messages.Share) {
	if s.ID == g.share.ID {
		g.reportShare(ctx) // MASTER has yet to hear that, or the report was lost
		return
	}
	if g.outOfShare(time.Now()) > 0 {
		return
	}
	g.share, g.unread, g.low, g.stale = s, false, false, true
	g.save(ctx)
}

// affords reports whether the share allows a wish.
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

// unreported counts the permits that may be used now.
func (g *Gate) unreported(now time.Time) (n int) {
	for _, p := range g.out {
		if now.Before(p.UseBefore) {
			n++
		}
	}
	return n
}

// outOfShare is what was paid from the share for permits that may still be used.
func (g *Gate) outOfShare(now time.Time) (n int) {
	for _, p := range g.out {
		if now.Before(p.UseBefore) {
			n += p.spent
		}
	}
	return n
}

// reportShare reports to MASTER what of the share Discord may yet see spent.
func (g *Gate) reportShare(ctx actor.Context) {
	s := g.onDisk
	if s.ID == g.share.ID {
		s.Remaining = g.share.Remaining + g.outOfShare(time.Now())
	}
	ctx.Send(g.addresses.MasterLink, messages.ShareLeft{Share: s})
}

// refuse lets a wish that was granted wait: the bucket is the next one's.
func (g *Gate) refuse(ctx actor.Context, w plan.Want) {
	if g.State() == "asking" {
		ctx.Send(g.addresses.MasterLink, messages.PermitReport{ID: w.ID, Sent: false})
	}
	g.pacer.Report(w.ID, false, time.Now(), time.Time{})
	g.wishes[w.ID] = w
	g.askAgain(ctx, w.ID, putOffFor)
}

// takeBack ends a permit that cannot be paid for, because the disk takes nothing.
func (g *Gate) takeBack(ctx actor.Context, p *permit) {
	if g.out[p.ID] != p {
		return
	}
	g.end(p)
	g.giveBack(p.spent)
	g.askers[p.ID] = p.asker
	g.refuse(ctx, p.want)
}

// pay takes what a permit costs from the share, and returns how much that was.
func (g *Gate) pay(w plan.Want) int {
	if g.share.ID == 0 {
		return 0
	}
	g.share.Remaining -= w.Cost()
	return w.Cost()
}

// giveBack returns to the share what was paid and not used.
func (g *Gate) giveBack(n int) {
	if n > 0 {
		g.share.Remaining = min(g.share.Remaining+n, g.share.Total)
		g.stale = true
	}
}
