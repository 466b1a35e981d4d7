package status

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// snapshot is the state of the machine, built from events and snapshots of the other actors.
type snapshot struct {
	machine  messages.MachineView
	clusters map[messages.ClusterID]*clusterSnapshot
	counters messages.Counters
	sessions []messages.SessionView // replaced as a whole, never changed
}

// clusterSnapshot is one cluster. Its view lacks the states and figures of shards, which written
// adds.
type clusterSnapshot struct {
	view   messages.ClusterView
	shards []messages.ShardSnapshot // in the order of its range
}

func newSnapshot(o Options) *snapshot {
	return &snapshot{
		machine: messages.MachineView{Source: o.Source, Version: o.Version, Host: o.Host, PID: o.PID, Started: o.Started.UTC().Truncate(time.Millisecond),
			Master: messages.MasterView{URL: o.MasterURL, Since: o.Started.UTC().Truncate(time.Millisecond)}},
		clusters: map[messages.ClusterID]*clusterSnapshot{},
		counters: messages.Counters{Events: map[string]int{}, Failures: map[messages.Cause]int{}, Restarts: map[messages.Cause]int{},
			Identifies: map[messages.IdentifyCause]int{}, AlertsLost: map[messages.AlertChannel]int{}, Waits: make([]int, len(messages.WaitBounds))},
	}
}

// heard applies an event.
func (p *snapshot) heard(e messages.Event, now time.Time) {
	p.count(e)
	m := &p.machine
	switch e := e.(type) {
	case messages.ClusterMoved:
		p.clusterMoved(e, now)
	case messages.MasterLinked:
		m.Master = messages.MasterView{URL: e.URL, Up: true, Since: now, Epoch: e.Epoch}
		m.ShardCount, m.MaxConcurrency, m.ShardsPerCluster, m.Halted = e.ShardCount, e.MaxConcurrency, e.ShardsPerCluster, e.Halted
	case messages.MasterLost:
		m.Master.Up, m.Master.Since, m.Master.Err = false, now, e.Err
	case messages.MasterUnreachable:
		p.unlinked(e.Err, now)
	case messages.MasterRefusedUs:
		p.unlinked(e.Err, now)
	case messages.FleetHalted:
		m.Halted = true
	case messages.DiscordOutage:
		m.Outage = e.On
	case messages.RollingRestartMoved:
		m.Rolling = &messages.RollingView{State: e.State, At: now, Done: e.Done, Left: e.Left, Cluster: e.Cluster, Err: e.Err}
	case messages.ShardMoved:
		if s := p.shard(e.Cluster, e.Shard); s != nil {
			s.State, s.EventsPerSecond = e.State, -1
			switch {
			case e.State == messages.ShardReady:
				s.Unready, s.Stuck = time.Time{}, ""
			case s.Unready.IsZero():
				s.Unready = now
			}
			if e.LatencyMS > 0 {
				s.LatencyMS = e.LatencyMS
			}
		}
	case messages.ShardStuck:
		if s := p.shard(e.Cluster, e.Shard); s != nil {
			s.Stuck = e.Reason
		}
	case messages.ShardLagging:
		if s := p.shard(e.Cluster, e.Shard); s != nil {
			s.Lagging, s.Waiting, s.WaitingMS = e.On, e.Waiting, e.WaitingMS
		}
	case messages.ShardDeaf:
		if s := p.shard(e.Cluster, e.Shard); s != nil {
			s.Deaf = e.On
		}
	case messages.ClusterDied:
		p.died(e.Cluster, messages.Death{At: now, Cause: e.Cause, Err: e.Err, Exit: e.Exit})
	case messages.BotDied:
		p.died(e.Cluster, messages.Death{At: now, Cause: messages.CauseExited, Err: e.Err})
	case messages.ClusterHeld:
		if e.On {
			p.died(e.Cluster, messages.Death{At: now, Cause: messages.CauseStartFailed, Err: e.Err})
		}
	case messages.ClusterGaveUp:
		p.died(e.Cluster, messages.Death{At: now, Cause: e.Cause, Err: e.Causes[len(e.Causes)-1]})
		if c := p.clusters[e.Cluster]; c != nil {
			c.view.GaveUp = &e
		}
	case messages.ClusterFatal:
		p.died(e.Cluster, messages.Death{At: now, Cause: messages.CauseFatal, Err: e.Err})
	}
}

// shard returns the snapshot of a cluster's shard; nil: it is not of this machine.
func (p *snapshot) shard(cluster messages.ClusterID, shard int) *messages.ShardSnapshot {
	c := p.clusters[cluster]
	if c == nil || !c.view.Shards.Contains(shard) {
		return nil
	}
	return &c.shards[shard-c.view.Shards.First]
}

// unlinked sets why there is no link. Since stays at the loss of the last link.
func (p *snapshot) unlinked(why string, now time.Time) {
	if p.machine.Master.Up {
		p.machine.Master.Up, p.machine.Master.Since = false, now
	}
	p.machine.Master.Err = why
}

func (p *snapshot) died(id messages.ClusterID, d messages.Death) {
	if c := p.clusters[id]; c != nil {
		c.view.Death = &d
	}
}

func (p *snapshot) count(e messages.Event) {
	name, _ := e.Event()
	n := &p.counters
	n.Events[name]++
	switch e := e.(type) {
	case messages.ClusterDied:
		n.Failures[e.Cause]++
		n.Restarts[e.Cause]++
	case messages.BotDied:
		n.Failures[messages.CauseExited]++
		n.Restarts[messages.CauseExited]++
	case messages.ClusterGaveUp:
		n.Failures[e.Cause]++
	case messages.ClusterFatal:
		n.Failures[messages.CauseFatal]++
	case messages.AlertsLost:
		n.AlertsLost[e.By] += e.Lost
	case messages.Identified:
		n.Identifies[e.Cause] += e.Identifies
		n.WaitCount++
		n.WaitSum += e.WaitedMS.Duration()
		if i := slices.IndexFunc(messages.WaitBounds, func(most float64) bool { return e.WaitedMS.Duration().Seconds() <= most }); i >= 0 {
			n.Waits[i]++
		}
	}
}

// clusterMoved applies the state of a cluster. A change of its process resets its shards to
// unknown.
func (p *snapshot) clusterMoved(m messages.ClusterMoved, now time.Time) {
	switch m.State {
	case messages.ClusterGone:
		delete(p.clusters, m.Cluster)
		return
	case messages.ClusterStopped, messages.ClusterFailed, messages.ClusterWaiting: // the sender may still name the dead process
		m.PID, m.Ready, m.Out = 0, 0, 0
	}
	c := p.clusters[m.Cluster]
	if c == nil || c.view.Shards != m.Range {
		c = &clusterSnapshot{view: messages.ClusterView{Cluster: m.Cluster, Shards: m.Range}, shards: unknownShards(m.Range)}
		p.clusters[m.Cluster] = c
	}
	if c.view.PID != m.PID {
		c.shards = unknownShards(m.Range)
	}
	if c.view.State != m.State {
		c.view.State, c.view.Since = m.State, now
	}
	c.view.PID, c.view.ShardsReady, c.view.ShardsOut, c.view.Restarts, c.view.Assumed, c.view.WaitsFor = m.PID, m.Ready, m.Out, m.Restarts, m.Assumed, m.Waits
}

func unknownShards(r messages.ShardRange) []messages.ShardSnapshot {
	return slices.Repeat([]messages.ShardSnapshot{{State: messages.ShardIdle, Guilds: -1, EventsPerSecond: -1, Waiting: -1}}, r.Len())
}

func (p *snapshot) fleetMoved(m messages.FleetSnapshot) {
	v := &p.machine
	v.ShardCount, v.MaxConcurrency, v.ShardsPerCluster, v.Halted = m.ShardCount, m.MaxConcurrency, m.ShardsPerCluster, m.Halted
}

func (p *snapshot) shardsMoved(m messages.ShardsSnapshot) {
	if c := p.clusters[m.Cluster]; c != nil && c.view.Shards == m.Range && len(m.Shards) == len(c.shards) {
		c.shards = m.Shards
	}
}

// judged returns the state by which plan.Judge decides on orders.
func (p *snapshot) judged() plan.Machine {
	m := plan.Machine{Clusters: map[messages.ClusterID]messages.ClusterState{}, Linked: p.machine.Master.Up, Rolling: p.machine.Rolling != nil && p.machine.Rolling.State == "started"}
	for id, c := range p.clusters {
		m.Clusters[id] = c.view.State
	}
	return m
}

// named returns the clusters of this machine that a target names, or why it names none.
func (p *snapshot) named(to messages.AskTarget) (ids []messages.ClusterID, refusal messages.Refusal, reason string) {
	switch {
	case to.Cluster != nil:
		if p.clusters[*to.Cluster] == nil {
			return nil, messages.RefusedUnknown, fmt.Sprintf("cluster %s is not of this machine", *to.Cluster)
		}
		return []messages.ClusterID{*to.Cluster}, "", ""
	case to.Guild == 0:
		if len(p.clusters) == 0 {
			return nil, messages.RefusedNow, "this machine has no cluster"
		}
		return slices.Sorted(maps.Keys(p.clusters)), "", ""
	case p.machine.ShardCount == 0:
		return nil, messages.RefusedNow, "the number of shards is unknown"
	}
	shard := int(to.Guild >> 22 % uint64(p.machine.ShardCount)) // PROTOCOL B5
	for id, c := range p.clusters {
		if c.view.Shards.Contains(shard) {
			return []messages.ClusterID{id}, "", ""
		}
	}
	return nil, messages.RefusedUnknown, fmt.Sprintf("server %d is on shard %d, which this machine does not serve", to.Guild, shard)
}

// view returns the snapshot as a View, which is not changed later.
func (p *snapshot) view(last uint64, now time.Time) messages.View {
	v := messages.View{LastEvent: last, At: now, Machine: p.machine, Clusters: make([]messages.ClusterView, 0, len(p.clusters)), Counters: p.counters.Clone(), Sessions: p.sessions}
	resumable := map[messages.ClusterID]int{}
	for _, s := range p.sessions {
		resumable[s.Cluster]++
	}
	for _, id := range slices.Sorted(maps.Keys(p.clusters)) {
		c := p.clusters[id].written(now)
		c.Sessions = resumable[id]
		v.Clusters = append(v.Clusters, c)
		v.Machine.Shards += c.Shards.Len()
		v.Machine.ShardsReady += c.ShardsReady
		switch n := &v.Machine.Clusters; c.State {
		case messages.ClusterServing:
			n.Serving++
		case messages.ClusterStopped:
			n.Stopped++
		case messages.ClusterFailed:
			n.Failed++
		default:
			n.Starting++
		}
	}
	return v
}

// lateAfter is the time without READY after which a shard counts as late. A resume takes less.
const lateAfter = 10 * time.Second

// written returns the view of a cluster with the states and figures of its shards.
func (c *clusterSnapshot) written(now time.Time) messages.ClusterView {
	v := c.view
	states := make([]byte, 0, len(c.shards))
	v.LatencyMS, v.Events = make([]messages.Milliseconds, 0, len(c.shards)), make([]float64, 0, len(c.shards))
	for i, s := range c.shards {
		if !s.Unready.IsZero() && now.Sub(s.Unready) >= lateAfter {
			v.ShardsLate++
		}
		if s.Stuck != "" {
			if v.ShardsStuck++; v.Stuck == nil {
				v.Stuck = &messages.StuckShard{Shard: v.Shards.First + i, State: s.State, Since: s.Unready.UTC().Truncate(time.Millisecond), Reason: s.Stuck}
			}
		}
		states = append(states, messages.ShardLetter(s.State))
		v.LatencyMS, v.Events = append(v.LatencyMS, s.LatencyMS), append(v.Events, s.EventsPerSecond)
		v.Guilds += max(s.Guilds, 0)
	}
	c.waits(&v)
	v.States = string(states)
	return v
}

// waits adds what waits for a bot, where a shard of it reports that, and the shards that lag or are
// deaf.
func (c *clusterSnapshot) waits(v *messages.ClusterView) {
	known := slices.ContainsFunc(c.shards, func(s messages.ShardSnapshot) bool { return s.Waiting >= 0 })
	if known {
		v.Host = &messages.HostMemory{}
	}
	for i, s := range c.shards {
		if known {
			*v.Host = v.Host.Add(s.Host)
			v.Waiting, v.WaitingMS = append(v.Waiting, s.Waiting), append(v.WaitingMS, s.WaitingMS)
		}
		if s.Lagging {
			v.Lagging = append(v.Lagging, v.Shards.First+i)
		}
		if s.Deaf {
			v.Deaf = append(v.Deaf, v.Shards.First+i)
		}
	}
}
