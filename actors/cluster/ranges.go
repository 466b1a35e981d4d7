package cluster

import (
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// ranges holds the ranges that the Supervisor serves, as it reports them to MASTER.
type ranges struct {
	served   []messages.RangeInfo
	lease    messages.Lease
	releases []messages.Release     // under way
	draining bool                   // StopAll is under way
	seeking  bool                   // the leftovers of an earlier run are unknown
	reported messages.MachineStatus // the latest status sent to MasterLink
}

// configure takes the fleet's settings and sends them to every cluster. One that waits for the
// token starts.
func (s *Supervisor) configure(ctx actor.Context, m messages.Settings) {
	s.settings = m
	s.shared.Store(&m)
	for _, e := range s.inOrder() {
		if e.pid != nil {
			ctx.Send(e.pid, m)
		}
	}
}

// leased sends the lease to every cluster.
func (s *Supervisor) leased(ctx actor.Context, m messages.Lease) {
	s.lease = m
	for _, e := range s.inOrder() {
		if e.pid != nil {
			ctx.Send(e.pid, m)
		}
	}
}

// takeBack serves the ranges of the previous run of CONTROL, and ends its other clusters.
func (s *Supervisor) takeBack(ctx actor.Context, m messages.TakeBack) {
	s.configure(ctx, m.Settings)
	for _, r := range m.Ranges {
		s.serveSince(ctx, messages.Serve{Range: r.Range}, r.Epoch)
	}
	s.seekLeftovers(ctx, 0)
}

// serve takes one more range.
func (s *Supervisor) serve(ctx actor.Context, m messages.Serve) {
	s.serveSince(ctx, m, s.settings.Epoch)
}

// serveSince takes one more range by an order of the given epoch.
func (s *Supervisor) serveSince(ctx actor.Context, m messages.Serve, epoch int64) {
	cut, reason := s.admit(m) // a leftover of the same cluster ends first
	if reason != "" {
		ctx.Send(ctx.Parent(), messages.ServeRefused{ID: m.ID, Range: m.Range, Reason: reason})
		return
	}
	if cut == nil { // served already, from now on by this order
		i := slices.IndexFunc(s.served, func(r messages.RangeInfo) bool { return r.Range == m.Range })
		s.served[i].Epoch = max(s.served[i].Epoch, epoch)
		s.settle(ctx)
		return
	}
	for _, c := range cut {
		if e := s.entries[c.ID]; e != nil {
			e.Cluster, e.stray, e.then = c, false, startAgain
		} else {
			s.entries[c.ID] = &entry{Cluster: c}
		}
		if brought := slices.DeleteFunc(slices.Clone(m.Sessions), func(o messages.Session) bool { return !c.Shards.Contains(o.Shard) }); len(brought) > 0 {
			ctx.Send(s.addresses.Sessions, messages.SessionsBrought{Cluster: c.ID, Sessions: brought})
		}
	}
	s.served = append(s.served, messages.RangeInfo{Range: m.Range, State: messages.RangeConnecting, Epoch: epoch})
	for _, c := range cut {
		if e := s.entries[c.ID]; !e.ending {
			s.spawn(ctx, e)
		}
	}
	s.settle(ctx)
}

// admit returns the clusters of a range, none if it is served already, or the reason why it cannot
// be served.
func (s *Supervisor) admit(m messages.Serve) (cut []plan.Cluster, reason string) {
	if s.settings.ShardCount == 0 {
		return nil, "MASTER did not send shard_count: a bot cannot be sharded without it"
	}
	if m.Range.Last >= s.settings.ShardCount {
		return nil, fmt.Sprintf("range %s: shard_count is %d, so the last shard is %d", m.Range, s.settings.ShardCount, s.settings.ShardCount-1)
	}
	if s.draining {
		return nil, "this machine is stopping its clusters"
	}
	for _, r := range s.served {
		if r.Range == m.Range {
			return nil, ""
		}
		if r.Range.Overlaps(m.Range) {
			return nil, fmt.Sprintf("range %s overlaps %s, which is served here", m.Range, r.Range)
		}
	}
	cut = plan.Cut(m.Range, s.settings.ShardsPerCluster)
	for _, c := range cut {
		if e := s.entries[c.ID]; e != nil && !e.stray {
			return nil, fmt.Sprintf("range %s is not aligned to whole clusters of %d shards: cluster %s has shards %s here already",
				m.Range, s.settings.ShardsPerCluster, c.ID, e.Shards)
		}
	}
	return cut, ""
}

// forgetEpochs clears the epoch of every range until a MASTER confirms it.
func (s *Supervisor) forgetEpochs(ctx actor.Context) {
	s.settings.Epoch = 0
	for i := range s.served {
		s.served[i].Epoch = 0
	}
	s.settle(ctx)
}

// release ends every cluster of a range, if the range has whole clusters that are served here.
func (s *Supervisor) release(ctx actor.Context, m messages.Release) {
	if slices.Contains(s.releases, m) {
		return // its Released is owed already
	}
	inside := s.servedIn(m.Range)
	cut := slices.ContainsFunc(inside, func(e *entry) bool { return !m.Range.Contains(e.Shards.First) || !m.Range.Contains(e.Shards.Last) })
	if cut || len(inside) == 0 {
		ctx.Send(ctx.Parent(), messages.ReleaseRefused{ID: m.ID, Range: m.Range,
			Reason: fmt.Sprintf("range %s: want whole clusters that are served here", m.Range)})
		return
	}
	s.releases = append(s.releases, m)
	s.cutOut(m.Range)
	for _, e := range inside {
		s.endFor(ctx, e, remove, messages.StopRun{Within: m.Within})
	}
	s.settle(ctx)
}

// servedIn lists the entries with shards in a range, by id.
func (s *Supervisor) servedIn(r messages.ShardRange) []*entry {
	return slices.DeleteFunc(s.inOrder(), func(e *entry) bool { return e.stray || !r.Overlaps(e.Shards) })
}

// cutOut splits the served ranges at a range that ends. The rest keeps being served; the part that
// ends is listed as draining.
func (s *Supervisor) cutOut(gone messages.ShardRange) {
	var left []messages.RangeInfo
	for _, r := range s.served {
		if !r.Range.Overlaps(gone) {
			left = append(left, r)
			continue
		}
		if r.Range.First < gone.First {
			before := r
			before.Range.Last = gone.First - 1
			left = append(left, before)
		}
		middle := r
		middle.Range = messages.ShardRange{First: max(r.Range.First, gone.First), Last: min(r.Range.Last, gone.Last)}
		left = append(left, middle)
		if r.Range.Last > gone.Last {
			after := r
			after.Range.First = gone.Last + 1
			left = append(left, after)
		}
	}
	s.served = left
}

// settle computes the machine's status and sends it to MasterLink if it changed. It also reports
// finished releases and a finished StopAll.
func (s *Supervisor) settle(ctx actor.Context) {
	kept := s.served[:0:0]
	for _, r := range s.served {
		state := s.rangeState(r.Range)
		if state == "" {
			continue
		}
		if state != r.State {
			ctx.Send(s.addresses.Events, messages.RangeMoved{Shards: r.Range.String(), State: state})
		}
		r.State = state
		kept = append(kept, r)
	}
	s.served = kept
	status := s.counted()
	status.Ranges = slices.Clone(kept)
	if !slices.Equal(status.Ranges, s.reported.Ranges) || status.Clusters != s.reported.Clusters || status.ShardsReady != s.reported.ShardsReady {
		s.reported = status
		ctx.Send(ctx.Parent(), status)
	}
	s.releases = slices.DeleteFunc(s.releases, func(r messages.Release) bool {
		done := s.rangeState(r.Range) == ""
		if done {
			ctx.Send(ctx.Parent(), messages.Released{ID: r.ID, Range: r.Range})
		}
		return done
	})
	if s.draining && len(s.entries) == 0 && !s.seeking {
		s.draining = false
		ctx.Send(ctx.Parent(), messages.AllStopped{})
	}
}

// counted returns the machine's status without its ranges.
func (s *Supervisor) counted() (status messages.MachineStatus) {
	for _, e := range s.inOrder() {
		switch e.state {
		case messages.ClusterServing:
			status.Clusters.Serving++
		case messages.ClusterFailed:
			status.Clusters.Failed++
		case messages.ClusterStopped:
			if e.returns() {
				status.Clusters.Starting++
			}
		default:
			status.Clusters.Starting++
		}
		status.ShardsReady += e.ready
	}
	return status
}

// rangeState returns the state of a range by its clusters, or "" if none is left.
func (s *Supervisor) rangeState(r messages.ShardRange) messages.RangeState {
	state := messages.RangeState("")
	for _, e := range s.servedIn(r) {
		switch {
		case e.ending && e.then == remove:
			return messages.RangeDraining
		case e.state == messages.ClusterFailed:
			state = messages.RangeFailed
		case state == messages.RangeFailed:
		case e.state == messages.ClusterStopped && !e.returns():
			state = messages.RangeStopped
		case state == messages.RangeStopped:
		case e.state != messages.ClusterServing:
			state = messages.RangeConnecting
		case state == "":
			state = messages.RangeOperational
		}
	}
	return state
}
