package fleet

import (
	"slices"
	"time"

	"github.com/discluster/control/messages"
)

// counted takes a machine's figures.
func (f *Fleet) counted(e Counted) {
	if m := f.machines[e.Source]; m != nil && m.link == e.Link {
		m.counts = e
	}
}

// View returns what the API shows of the fleet at now, without the budget, which the governor
// knows.
func (f *Fleet) View(now time.Time) messages.FleetView {
	v := messages.FleetView{At: now.UTC().Truncate(time.Millisecond), State: string(f.state), Started: f.began.UTC().Truncate(time.Millisecond), Epoch: f.epoch,
		ShardCount: f.settings.shards, MaxConcurrency: f.settings.maxConcurrency, ShardsPerCluster: f.settings.perCluster, Halted: f.halted != nil, Machines: []messages.FleetMachine{}}
	for _, m := range f.inOrder() {
		s := messages.FleetMachine{Source: m.source, Host: m.host, State: m.state(), Linked: m.link != 0, Spare: m.spare, Drained: m.isDrained(),
			Granted: append([]messages.ShardRange{}, m.granted...), Ranges: []messages.RangeInfo{}}
		if s.State != messages.MachineIsLost {
			s.Clusters, s.ShardsReady, s.Ranges = m.counts.Clusters, m.shardsReady(), append(s.Ranges, m.ranges...)
		}
		if s.State != messages.MachineIsLinked && !m.lostAt.IsZero() {
			s.AwaySince = new(m.lostAt.UTC().Truncate(time.Millisecond))
		}
		slices.SortFunc(s.Granted, func(a, b messages.ShardRange) int { return a.First - b.First })
		if s.Linked {
			v.ShardsReady += s.ShardsReady
		}
		v.Machines = append(v.Machines, s)
	}
	return v
}

// shardsReady returns how many of a machine's shards are READY: by its last heartbeat, and before
// the first one by its ranges.
func (m *machine) shardsReady() (n int) {
	if m.link == 0 || m.counts.Link == m.link {
		return m.counts.Ready
	}
	for _, r := range m.ranges {
		if r.State == messages.RangeOperational {
			n += r.Range.Len()
		}
	}
	return n
}
