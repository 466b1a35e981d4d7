package master

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// This file is what is seen of the fleet from outside.

// counted (machine → fleet): the figures of a heartbeat, when they changed.
type counted struct {
	source   string
	link     transport.Link
	clusters messages.ClusterCounts
	ready    int
}

// counted takes a machine's figures.
func (f *Fleet) counted(m counted) {
	if s := f.seats[m.source]; s != nil && s.link == m.link {
		s.counts = m
	}
}

// shown (fleet → governor): a view that lacks the budget, and who asked for it.
type shown struct {
	view   messages.FleetView
	answer func(messages.FleetView)
}

// IgnoreDeadLetterLogging: it may come after MASTER has stopped.
func (shown) IgnoreDeadLetterLogging() {}

// show answers who looks; the governor knows the budget.
func (f *Fleet) show(ctx actor.Context, m messages.FleetLook) {
	if f.governor == nil {
		m.Answer(f.view())
		return
	}
	ctx.Send(f.governor, shown{f.view(), m.Answer})
}

// show completes a view.
func (g *Governor) show(m shown) {
	if b := g.budget.At(time.Now()); b.Total > 0 {
		m.view.Budget = &messages.IdentifyBudget{Total: b.Total, Remaining: b.Remaining, Reserve: b.Reserve, ResetAt: b.Reset.UTC().Truncate(time.Millisecond)}
	}
	m.answer(m.view)
}

// view is how the fleet stands, but for the budget.
func (f *Fleet) view() messages.FleetView {
	v := messages.FleetView{At: time.Now().UTC().Truncate(time.Millisecond), State: f.State(), Started: f.began.UTC().Truncate(time.Millisecond), Epoch: f.epoch,
		ShardCount: f.settings.shards, MaxConcurrency: f.settings.maxConcurrency, ShardsPerCluster: f.settings.perCluster, Halted: f.halted != nil, Machines: []messages.FleetMachine{}}
	for _, s := range f.inOrder() {
		m := messages.FleetMachine{Source: s.source, Host: s.host, State: s.state(), Linked: s.link != nil, Spare: s.spare, Drained: s.isDrained(),
			Granted: append([]messages.ShardRange{}, s.granted...), Ranges: []messages.RangeInfo{}}
		if m.State != messages.MachineIsLost {
			m.Clusters, m.ShardsReady, m.Ranges = s.counts.clusters, s.shardsReady(), append(m.Ranges, s.ranges...)
		}
		if m.State != messages.MachineIsLinked && !s.lostAt.IsZero() {
			m.AwaySince = new(s.lostAt.UTC().Truncate(time.Millisecond))
		}
		slices.SortFunc(m.Granted, func(a, b messages.ShardRange) int { return a.First - b.First })
		if m.Linked {
			v.ShardsReady += m.ShardsReady
		}
		v.Machines = append(v.Machines, m)
	}
	return v
}

// shardsReady is how many of a machine's shards are READY: what its last heartbeat said, and before the first one what its ranges say.
func (s *seat) shardsReady() (n int) {
	if s.link == nil || s.counts.link == s.link {
		return s.counts.ready
	}
	for _, r := range s.ranges {
		if r.State == messages.RangeOperational {
			n += r.Range.Len()
		}
	}
	return n
}
