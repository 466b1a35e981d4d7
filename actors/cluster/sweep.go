package cluster

import (
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// This file handles processes that a dead run left behind. A death is reported before all processes
// of the machine are searched for them. The next start, an ordered stop and giving up wait for the
// end of that search.

// sweepWithin is the time after which a Cluster searches itself, because a panic may have lost the
// end of the first search.
const sweepWithin = time.Second

// beginsSweep reports whether a death is handled now, while the search for what the run left goes
// on. Buckets that are held for a bot stay held until none of its processes is left.
func (c *Cluster) beginsSweep(m runDied) bool {
	if c.held > 0 {
		return false
	}
	c.handover.sweeping = m.run
	return true
}

// awaitSweep waits until no process of the last run is left.
func (c *Cluster) awaitSweep(ctx actor.Context) {
	c.search = search{}
	c.Enter(string(messages.ClusterWaiting), c.sweeping)
	c.In(ctx, sweepWithin)
}

// sweeping waits for the end of the search for processes of the last run.
func (c *Cluster) sweeping(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case runExited:
		c.abandon()
		if m.exit.Doubt != "" {
			c.retrySearch(ctx, errors.New(m.exit.Doubt))
			return
		}
		c.follow(ctx, m.exit.Left)
	case world.Timeout, world.Recovered: // a panic may have lost the message
		c.seekNext(ctx)
	case found:
		c.answered(ctx, m)
	case messages.StopRun:
		c.search.leaving = true
	default:
		c.always(ctx)
	}
}

// follow does what waited for the end of the search: it stops, escalates the failure, or starts the
// next run.
func (c *Cluster) follow(ctx actor.Context, left int) {
	c.logLeft(left)
	c.handover.sweeping = ""
	switch {
	case c.search.leaving:
		c.stopped(ctx)
	case c.why != nil:
		c.escalate(ctx, c.why)
	default:
		c.search = search{}
		c.spawn(ctx)
	}
}

// leftBehind searches for processes that a dead one left, unless its exit rules them out. What
// follows its end waits for the answer.
func (c *Cluster) leftBehind(ctx actor.Context, e proc.Exit) (unknown bool) {
	if e.Doubt == "" {
		return false
	}
	c.search = search{ended: true}
	c.retrySearch(ctx, errors.New(e.Doubt))
	return true
}

// logLeft logs processes that the report of a death did not name.
func (c *Cluster) logLeft(n int) {
	if n > 0 {
		c.Log.Warn().Int("processes", n).Msg("ended background processes of a dead run")
	}
}
