package cluster

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file answers messages.GetSnapshot.

// snapshot sends the state of every cluster to the actor that asked, and forwards the request to
// each Cluster for its shards.
func (s *Supervisor) snapshot(ctx actor.Context, m messages.GetSnapshot) {
	if ctx.Sender() == nil {
		return
	}
	if n := s.settings; n.ShardCount > 0 {
		ctx.Send(ctx.Sender(), messages.FleetSnapshot{ShardCount: n.ShardCount, MaxConcurrency: n.MaxConcurrency, ShardsPerCluster: n.ShardsPerCluster, Halted: n.Halted})
	}
	for _, e := range s.inOrder() {
		ctx.Send(ctx.Sender(), messages.ClusterSnapshot{Moved: e.status()})
		if e.pid != nil {
			ctx.RequestWithCustomSender(e.pid, m, ctx.Sender())
		}
	}
}

// snapshot sends the state of every shard to the actor that asked, once it is known.
func (c *Cluster) snapshot(ctx actor.Context) {
	if ctx.Sender() == nil || c.shards == nil || c.dying() {
		return
	}
	all := make([]messages.ShardSnapshot, 0, c.plan.Shards.Len())
	for _, id := range c.plan.Shards.Shards() {
		s := c.shards[id]
		one := messages.ShardSnapshot{State: s.state, LatencyMS: s.latency, Guilds: -1, EventsPerSecond: s.rate.PerSecond(), Unready: s.unready,
			Waiting: -1, WaitingMS: s.oldest, Host: s.host, Lagging: s.lag.On(), Deaf: s.deaf}
		if s.reportedStuck {
			one.Stuck = plan.StuckReason(s.state)
		}
		if s.guilds != nil {
			one.Guilds = *s.guilds
		}
		if s.waiting != nil {
			one.Waiting = *s.waiting
		}
		all = append(all, one)
	}
	ctx.Send(ctx.Sender(), messages.ShardsSnapshot{Cluster: c.plan.ID, Range: c.plan.Shards, Shards: all})
}
