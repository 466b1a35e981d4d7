package master

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is what becomes of identifies that nobody granted: a bot that asks for no permits
// begins sessions as it likes, and another program may use the token. Only Discord counts them, so
// it is asked more often while something looks unwell.

// watch is what the governor knows of them.
type watch struct {
	heldAt  time.Time // when a bot that cannot ask had its buckets last; zero: there is none
	counted int       // identifies that were left by Discord's last answer
	missing int       // that were not granted, since that was reported
	toldAt  time.Time
}

// budgetKnown (fleet → governor) is Discord's answer. blind: there are machines whose identifies
// are not known here. away are those that are known and not linked.
type budgetKnown struct {
	budget plan.Budget
	blind  bool
	away   []string
}

const (
	// watchEvery is how often Discord is asked in any case.
	watchEvery = 15 * time.Minute
	// unwellFor is how long it is asked every minute after a bot that cannot ask was started.
	unwellFor = 2 * time.Minute
	// reportEvery is how often identifies that were not granted are reported.
	reportEvery = 10 * time.Minute
)

// discordSays is Discord's answer, and what is known of those who identify.
func (f *Fleet) discordSays(g plan.GatewayBot) budgetKnown {
	k := budgetKnown{budget: f.budget(g), blind: f.suspicious()}
	for _, s := range f.inOrder() {
		k.blind = k.blind || s.paces
		if s.link == nil && len(s.ranges) > 0 {
			k.away = append(k.away, s.source)
		}
	}
	return k
}

// held notes that a bot which cannot ask is about to be started. One that died may have died of
// what it did to Discord.
func (g *Governor) held(ctx actor.Context, w plan.Want, now time.Time) {
	if w.Hold == 0 {
		return
	}
	g.heldAt = now
	if w.Cause == messages.CauseCrash {
		g.recount(ctx, now)
	}
}

// lookAfter has Discord asked when it is time.
func (g *Governor) lookAfter(ctx actor.Context, now time.Time) {
	unwell := !g.heldAt.IsZero() && now.Sub(g.heldAt) < unwellFor
	if g.budget.Total > 0 && (unwell || now.Sub(g.asked) >= watchEvery) {
		g.recount(ctx, now)
	}
}

// account takes Discord's answer, and reports what of it nobody granted.
func (g *Governor) account(ctx actor.Context, m budgetKnown, now time.Time) {
	before, fell := g.budget, g.counted-m.budget.Remaining
	g.budget, g.counted = g.budget.Corrected(m.budget, g.unseen, g.away()), m.budget.Remaining
	if m.blind || slices.ContainsFunc(m.away, func(source string) bool { return g.of[source] == nil }) {
		return
	}
	missing := plan.Unaccounted(before, m.budget, g.away())
	if g.missing += missing; missing == 0 || now.Sub(g.toldAt) < reportEvery {
		return
	}
	ctx.Send(g.fleet, said{messages.IdentifyUnaccounted{Unaccounted: g.missing, Granted: fell - missing, Remaining: m.budget.Remaining, Total: m.budget.Total,
		Likely: plan.UnaccountedBecause(g.missing, g.shards, !g.heldAt.IsZero())}})
	g.missing, g.toldAt = 0, now
}
