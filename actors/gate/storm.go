package gate

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file slows down a cluster that identifies too often, before it spends the day's budget of
// the whole bot. Its process keeps running and gets its permits later.

// storms counts the recent identifies of a cluster.
type storms struct {
	own         plan.Storm         // not caused by Discord
	invalidated map[int]plan.Storm // of each shard, after Discord ended its session
	reported    bool               // the event that identifies are held back was sent
}

func (g *Gate) storm(cluster string) *storms {
	s := g.storms[cluster]
	if s == nil {
		s = &storms{invalidated: map[int]plan.Storm{}}
		g.storms[cluster] = s
	}
	return s
}

// sent counts n identifies of a shard.
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

// ask returns how long a request is held back, and whether there is a storm.
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

// holdsBack reports whether a request has to wait because its cluster identifies too often. The
// request is dropped: the requester repeats it within half a minute. Requests that pass during a
// storm do not use the reserve of the day's budget, as those after a crash do not.
func (g *Gate) holdsBack(ctx actor.Context, m *messages.WantPermit) bool {
	_, asked := g.requesters[m.ID]
	if asked || m.Kept || g.out[m.ID] != nil || m.Cause == messages.CauseOperator {
		return false
	}
	s := g.storm(m.Cluster.String())
	wait, held := s.ask(*m)
	if !held {
		s.reported = false
		return false
	}
	m.Cause = messages.CauseCrash
	if !s.reported {
		s.reported = true
		ctx.Send(g.addresses.Clusters, messages.HeldBack{Cluster: m.Cluster, Identifies: max(s.own.Count(time.Now()), s.invalidated[m.Shard].Count(time.Now())), For: wait})
	}
	return wait > 0
}
