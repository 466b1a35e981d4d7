package gate

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file sends permit requests to MASTER and handles the answers.

// ask sends every request to MASTER. An unanswered one is repeated by its requester.
func (g *Gate) ask(ctx actor.Context) {
	for _, r := range g.owed {
		ctx.Send(g.addresses.MasterLink, r)
	}
	g.owed = nil
	for _, w := range g.waiting() {
		g.requests[w.ID] = w
		g.request(ctx, w)
	}
	g.pacer = plan.NewPacer(1, g.options.TTL, g.options.Margin) // nothing waits here
	if g.State() != "asking" {
		g.Enter("asking", g.asking)
	}
}

// request sends a request to MASTER, unless it is deferred.
func (g *Gate) request(ctx actor.Context, w plan.Want) {
	if g.settings.Halted || !g.isDue(w.ID) {
		return
	}
	ctx.Send(g.addresses.MasterLink, messages.PermitRequest{ID: w.ID, Shard: w.Shard, Cause: w.Cause, WaitedMS: messages.Millis(time.Since(w.Since)), HoldMS: messages.Millis(w.Hold),
		Identifies: w.Identifies, Kept: w.Kept, Now: new(g.W.AtSteady(time.Now()))})
}

func (g *Gate) answered(ctx actor.Context, m messages.PermitAnswer) {
	w, waiting := g.requests[m.ID]
	switch {
	case !waiting:
		if _, twice := g.out[m.ID]; m.Granted && !twice { // its requester died
			ctx.Send(g.addresses.MasterLink, messages.PermitReport{ID: m.ID, Sent: false})
		}
	case m.Granted:
		_, most := g.age(m)
		left := m.UseWithinMS.Duration() - most
		if left <= 0 { // it waited in a queue while this machine was suspended
			ctx.Send(g.addresses.MasterLink, messages.PermitReport{ID: m.ID, Sent: false})
			g.request(ctx, w)
			return
		}
		if m.FromShare && !g.affords(ctx, w) {
			g.refuse(ctx, w)
			return
		}
		delete(g.requests, m.ID)
		paid := 0
		if m.FromShare {
			paid = g.pay(w)
		}
		g.grant(ctx, w, paid, g.wait(m), left)
	default:
		g.retryIn(ctx, m.ID, max(m.RetryAfterMS.Duration(), time.Second))
	}
}

// retryIn defers a request. A request deferred several times is sent once, at the last time set.
func (g *Gate) retryIn(ctx actor.Context, id string, wait time.Duration) {
	g.deferred[id] = time.Now().Add(wait)
	g.After(ctx, wait, retryRequest{id: id})
}

// isDue reports whether a request is not deferred.
func (g *Gate) isDue(id string) bool {
	if time.Now().Before(g.deferred[id]) {
		return false
	}
	delete(g.deferred, id)
	return true
}

// age returns bounds of the time since MASTER granted a permit, by MASTER's clock as far as it is
// known. The wall clock counts time in which the machine was suspended; the steady clock is right
// where the wall clock was set while the answer was under way.
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

// wait returns how long until a permit of MASTER may be used.
func (g *Gate) wait(m messages.PermitAnswer) time.Duration {
	if m.NotBefore != nil {
		return min(time.Until(g.W.FromSteady(*m.NotBefore)), m.InMS.Duration())
	}
	least, _ := g.age(m)
	return m.InMS.Duration() - least
}
