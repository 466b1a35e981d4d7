package cluster

import (
	"errors"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file ends the clusters of an earlier run of CONTROL that are not served here. They are found
// by their records, and by the environment of processes in case a record was not saved.

// leftovers is the result of the search. err: why it may be incomplete.
type leftovers struct {
	messages.MayBeLost
	clusters []messages.ClusterID
	err      error
	tries    int
}

// seekAgain is the timer of the next search.
type seekAgain struct {
	messages.MayBeLost
	tries int
}

// seekLeftovers searches for leftovers. The answer is the message leftovers.
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

// endLeftovers ends the clusters that were found, and searches again if the result may be
// incomplete.
func (s *Supervisor) endLeftovers(ctx actor.Context, m leftovers) {
	for _, id := range m.clusters {
		if s.entries[id] != nil || s.stopping {
			continue
		}
		e := &entry{Cluster: plan.Cluster{ID: id}, stray: true}
		s.entries[id] = e
		s.spawn(ctx, e)
		s.end(ctx, e, remove)
	}
	if m.err == nil {
		s.seeking = false
		s.settle(ctx)
		return
	}
	if m.tries == 0 {
		s.w.Log.Error().Err(m.err).Msg("cannot search for clusters of an earlier run of CONTROL; retrying")
	}
	send, next := world.Sender(ctx), seekAgain{tries: m.tries + 1}
	s.w.After(plan.SearchAgain(m.tries, s.w.Rand()), func() { send(next) })
}
