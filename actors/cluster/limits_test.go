package cluster

import (
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// What waits for a cluster's limit is passed on each 250 ms until nothing waits, and a moment in
// which nothing does costs nothing.
func TestShareOfACluster(t *testing.T) {
	c, link := clusterIn(messages.ClusterServing)
	c.limits = newLimits(2)
	c.books = plan.Limiter{Burst: 1, PerSecond: 1e-9}
	c.features = []string{messages.FeatureSessions}
	c.shards = map[int]*shard{0: {state: messages.ShardReady}, 1: {state: messages.ShardReady}}
	keep := func(ctx actor.Context) { c.keep(ctx, []messages.Session{{Shard: 1, SessionID: "s", Seq: 1}}, nil) }
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.passOn(ctx) // nothing waits
		c.keep(ctx, nil, nil)
		keep(ctx) // at once
		keep(ctx) // waits
		keep(ctx)
		c.passOn(ctx) // still does
	})
	waits := len(c.kept)
	c.books.PerSecond = 1e9
	late := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.passOn(ctx)
	})
	if times[messages.KeepSessions](late) != 1 || len(link.timers) != 2 {
		t.Errorf("got %v, timers %v; want what waits, and no timer more", late, link.timers)
	}
	if want := []time.Duration{250 * time.Millisecond, 250 * time.Millisecond}; !slices.Equal(link.timers, want) || waits != 1 || times[messages.KeepSessions](got) != 1 {
		t.Errorf("timers %v, %d sessions wait, %d were passed on; want %v, 1 and 1", link.timers, waits, times[messages.KeepSessions](got), want)
	}
}

// Of a shard the newest is passed on: its session, or that it has none.
func TestNewestOfAShard(t *testing.T) {
	c, _ := clusterIn(messages.ClusterServing)
	c.books = plan.Limiter{Burst: 0, PerSecond: 1} // all of it waits
	c.features = []string{messages.FeatureSessions}
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.keep(ctx, []messages.Session{{Shard: 0, SessionID: "a"}}, []int{1})
		c.keep(ctx, []messages.Session{{Shard: 1, SessionID: "b"}}, []int{0})
		c.passSessions(ctx)
	})
	if len(got) != 1 {
		t.Fatalf("got %v, want one message", got)
	}
	if m := got[0].(messages.KeepSessions); len(m.Sessions) != 1 || m.Sessions[0].SessionID != "b" || !slices.Equal(m.Gone, []int{0}) {
		t.Errorf("sessions %v, gone %v; want b, and 0", m.Sessions, m.Gone)
	}
}
