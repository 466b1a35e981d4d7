package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is what the gate spends of the day's budget while MASTER is away: this machine's share,
// and no more. It is on disk before a permit is given.

// ownShare is this machine's share. Without one it knows no limit.
type ownShare struct {
	share messages.Share
	low   bool // it is used up, and that was reported
}

// putOffFor is how long a wish waits that the share does not allow: MASTER may be back by then.
const putOffFor = time.Minute

// take takes a share of MASTER's. It hears that it did once that is on disk.
func (g *IdentifyGate) take(ctx actor.Context, s messages.Share) {
	if s.ID == g.share.ID {
		return
	}
	g.share, g.low, g.stale = s, false, true
	g.save(ctx)
}

// affords reports whether the share allows a wish.
func (g *IdentifyGate) affords(ctx actor.Context, w plan.Want) bool {
	out, _ := g.pacer.Out(time.Now())
	b := plan.Alone(g.share)
	if b.Allows(w.Cause, w.Cost(), out-1) { // its own is out already
		return true
	}
	if !g.low {
		g.low = true
		ctx.Send(g.house.Herald, messages.IdentifyBudgetLow{Remaining: b.Remaining, Total: b.Total, Reserve: b.Reserve, Wanted: w.Cost(), Alone: true})
	}
	return false
}

// putOff lets a wish that was granted wait: the bucket is the next one's.
func (g *IdentifyGate) putOff(ctx actor.Context, w plan.Want) {
	g.pacer.Report(w.ID, false, time.Now(), time.Time{})
	g.wishes[w.ID] = w
	g.After(ctx, putOffFor, retryWish{w.ID})
}

// pay takes what a permit costs from the share, and returns how much that was.
func (g *IdentifyGate) pay(w plan.Want) int {
	if g.share.ID == 0 {
		return 0
	}
	g.share.Remaining -= w.Cost()
	return w.Cost()
}

// giveBack returns to the share what was paid and not used.
func (g *IdentifyGate) giveBack(n int) {
	if n > 0 {
		g.share.Remaining = min(g.share.Remaining+n, g.share.Total)
		g.stale = true
	}
}
