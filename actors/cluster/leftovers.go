package cluster

import (
	"errors"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file is how ClusterSupervisor ends what an earlier life of CONTROL left of clusters that are
// not served here: found by its records, and by the environment of what runs where the disk took
// none.

// leftovers is what was found. An error says why it may not be all.
type leftovers struct {
	clusters []messages.ClusterID
	err      error
	tries    int
}

// seekAgain is the time to look again.
type seekAgain struct{ tries int }

// These may arrive after CONTROL has stopped.
func (leftovers) IgnoreDeadLetterLogging() {}
func (seekAgain) IgnoreDeadLetterLogging() {}

// seekLeftovers looks for them. The answer is leftovers.
func (s *Supervisor) seekLeftovers(ctx actor.Context, tries int) {
	s.seeking = true
	found := leftovers{tries: tries}
	names, listed := s.w.List()
	for _, name := range names {
		if id, is := recordedCluster(name); is {
			found.clusters = append(found.clusters, id)
		}
	}
	send, owner := world.Sender(ctx), s.options.Owner
	s.w.Holders(plan.OwnedBy(owner), func(values []string, err error) {
		for _, value := range values {
			if id, is := plan.OwnedCluster(owner, value); is {
				found.clusters = append(found.clusters, id)
			}
		}
		found.err = errors.Join(listed, err)
		send(found)
	})
}

// endLeftovers ends what was found, and looks again where that may not be all.
func (s *Supervisor) endLeftovers(ctx actor.Context, m leftovers) {
	for _, id := range m.clusters {
		if s.wards[id] != nil || s.stopping {
			continue
		}
		w := &ward{Cluster: plan.Cluster{ID: id}, stray: true}
		s.wards[id] = w
		s.spawn(ctx, w)
		s.end(ctx, w, forget)
	}
	if m.err == nil {
		s.seeking = false
		s.settle(ctx)
		return
	}
	if m.tries == 0 {
		s.w.Log.Error().Err(m.err).Msg("cannot look for what an earlier life of CONTROL left; trying again")
	}
	send, next := world.Sender(ctx), seekAgain{m.tries + 1}
	s.w.After(plan.SearchAgain(m.tries, s.w.Rand()), func() { send(next) })
}
