package gate

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is what the gate asks of MASTER, and what it does with the answers.

// ask puts every wish to MASTER. One that is not answered is repeated by its asker.
func (g *Gate) ask(ctx actor.Context) {
	for _, r := range g.owed {
		ctx.Send(g.addresses.MasterLink, r)
	}
	g.owed = nil
	for _, w := range g.waiting() {
		g.wishes[w.ID] = w
		g.request(ctx, w)
	}
	g.pacer = plan.NewPacer(1, g.options.TTL, g.options.Margin) // nothing waits here now
	if g.State() != "asking" {
		g.Enter("asking", g.asking)
	}
}

// request puts a wish to MASTER, unless it is put off.
func (g *Gate) request(ctx actor.Context, w plan.Want) {
	if g.settings.Halted || !g.isDue(w.ID) {
		return
	}
	ctx.Send(g.addresses.MasterLink, messages.PermitRequest{ID: w.ID, Shard: w.Shard, Cause: w.Cause, WaitedMS: messages.Millis(time.Since(w.Since)), HoldMS: messages.Millis(w.Hold),
		Identifies: w.Identifies, Kept: w.Kept, Now: new(g.W.AtSteady(time.Now()))})
}

func (g *Gate) answered(ctx actor.Context, m messages.PermitAnswer) {
	w, waits := g.wishes[m.ID]
	switch {
	case !waits:
		if _, twice := g.out[m.ID]; m.Granted && !twice { // its asker died meanwhile
			ctx.Send(g.addresses.MasterLink, messages.PermitReport{ID: m.ID, Sent: false})
		}
	case m.Granted:
		_, most := g.age(m)
		left := m.UseWithinMS.Duration() - most
		if left <= 0 { // it lay in a queue while we slept
			ctx.Send(g.addresses.MasterLink, messages.PermitReport{ID: m.ID, Sent: false})
			g.request(ctx, w)
			return
		}
		if m.FromShare && !g.affords(ctx, w) {
			g.refuse(ctx, w)
			return
		}
		delete(g.wishes, m.ID)
		paid := 0
		if m.FromShare {
			paid = g.pay(w)
		}
		g.give(ctx, w, paid, g.wait(m), left)
	default:
		g.askAgain(ctx, m.ID, max(m.RetryAfterMS.Duration(), time.Second))
	}
}

// askAgain puts a wish off. However often that happens it is asked for once when the time comes.
func (g *Gate) askAgain(ctx actor.Context, id string, wait time.Duration) {
	g.putOff[id] = time.Now().Add(wait)
	g.After(ctx, wait, retryWish{id})
}

// isDue reports whether a wish is not put off, or no longer.
func (g *Gate) isDue(id string) bool {
	if time.Now().Before(g.putOff[id]) {
		return false
	}
	delete(g.putOff, id)
	return true
}

// age is how long ago MASTER granted a permit, by its clock as far as we know that: at least, and
// at most. The wall clock counts a time in which the machine was suspended, and the steady clock is
// right where the wall clock was set while the answer waited for us.
func (g *Gate) age(m messages.PermitAnswer) (least, most time.Duration) {
	if m.Now == nil {
		return 0, 0
	}
	wall := max(time.Since(g.W.FromWall(*m.Now))+g.settings.ClockAhead, 0)
	if g.settings.SlotsAhead == 0 { // unknown
		return wall, wall
	}
	steady := max(time.Since(g.W.FromSteady(*m.Now))+g.settings.SlotsAhead-g.W.SteadyAhead(), 0)
	return min(wall, steady), max(wall, steady)
}

// wait is how long a permit of MASTER is not to be used yet.
func (g *Gate) wait(m messages.PermitAnswer) time.Duration {
	if m.NotBefore != nil {
		return min(time.Until(g.W.FromSteady(*m.NotBefore)), m.InMS.Duration())
	}
	least, _ := g.age(m)
	return m.InMS.Duration() - least
}
