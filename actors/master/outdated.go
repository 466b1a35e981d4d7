package master

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
)

// This file is machines that come back with what they served when the bot was sharded in another way. None of that is the fleet's: it is nobody's claim, and has to go before
// the machine is given anything. Where nothing is served by our sharding yet it is the other way round: theirs becomes the fleet's (renew).

// date looks whether what a machine serves is of another sharding than the fleet's: then it is to stop it, which it is told once a link. One that does not say how it is sharded
// is taken at its word.
func (f *Fleet) date(ctx actor.Context, s *seat, i messages.Info, first bool) {
	told := s.outdated && !first
	s.outdated = len(i.Ranges) > 0 && i.ShardCount > 0 && i.ShardsPerCluster > 0 && (i.ShardCount != f.settings.shards || i.ShardsPerCluster != f.settings.perCluster)
	if !s.outdated {
		return
	}
	s.ranges = nil
	if told {
		return
	}
	if s.link == nil { // it is told when it returns
		return
	}
	f.raise(messages.MachineOutdated{Source: s.source, ShardCount: i.ShardCount, ShardsPerCluster: i.ShardsPerCluster, Ranges: len(i.Ranges)})
	for _, r := range i.Ranges {
		f.order(ctx, s, func(id string) messages.FromMaster {
			return messages.Offload{ID: id, Range: r.Range, WithinMS: messages.Millis(offloadWithin),
				Reason: fmt.Sprintf("of shard_count %d in clusters of %d, the fleet's is %d in clusters of %d", i.ShardCount, i.ShardsPerCluster, f.settings.shards, f.settings.perCluster)}
		})
	}
}
