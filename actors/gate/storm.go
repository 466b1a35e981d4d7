package gate

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file slows down a cluster that identifies too often, before it burns the day's budget of the
// whole bot. Its process lives on, and what it may identify later it is granted later, by itself.

// storms is what a cluster identified of late.
type storms struct {
	own         plan.Storm         // for reasons of its own
	invalidated map[int]plan.Storm // of each shard, because Discord had ended its session
	said        bool               // that identifies are held back
}

func (g *Gate) storm(cluster string) *storms {
	s := g.storms[cluster]
	if s == nil {
		s = &storms{invalidated: map[int]plan.Storm{}}
		g.storms[cluster] = s
	}
	return s
}

// sent counts n identifies that were sent.
func (s *storms) sent(shard int, cause messages.IdentifyCause, n int) {
	now := time.Now()
	if one := s.invalidated[shard]; cause == messages.CauseReidentify || one.Held() {
		s.invalidated[shard] = one.Sent(now)
		return
	}
	for range n {
		s.own = s.own.Sent(now)
	}
}

// ask returns how long a wish is held back, and whether there is a storm.
func (s *storms) ask(m messages.WantPermit) (wait time.Duration, held bool) {
	now := time.Now()
	if m.Cause == messages.CauseReidentify {
		one, wait := s.invalidated[m.Shard].Ask(now, 1, plan.InvalidatedMost, 1)
		s.invalidated[m.Shard] = one
		return wait, one.Held()
	}
	s.own, wait = s.own.Ask(now, max(m.Identifies, 1), plan.StormAfter(m.Shards, m.Hold > 0), m.Shards)
	return wait, s.own.Held()
}

// holdsBack reports whether a wish has to wait because its cluster identifies too often. It is
// dropped then: whoever wants to identify asks again, with the same wish, within half a minute.
// What a storm lets through leaves the reserve of the day's budget alone, as what crashed does.
func (g *Gate) holdsBack(ctx actor.Context, m *messages.WantPermit) bool {
	_, asked := g.askers[m.ID]
	if asked || m.Kept || g.out[m.ID] != nil || m.Cause == messages.CauseOperator {
		return false
	}
	s := g.storm(m.Cluster.String())
	wait, held := s.ask(*m)
	if !held {
		s.said = false
		return false
	}
	m.Cause = messages.CauseCrash
	if !s.said {
		s.said = true
		ctx.Send(g.addresses.Clusters, messages.HeldBack{Cluster: m.Cluster, Identifies: max(s.own.Count(time.Now()), s.invalidated[m.Shard].Count(time.Now())), For: wait})
	}
	return wait > 0
}
