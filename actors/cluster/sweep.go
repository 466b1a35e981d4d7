package cluster

import (
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// This file is what a Cluster does about processes that a dead run left behind. A death is reported
// before all processes of the machine are searched for them; what follows the report waits for the
// end of that search: the next start, an ordered stop, and giving up.

// sweepWithin is the time after which a Cluster searches itself: the end of the first search may
// have been lost to a panic of ours.
const sweepWithin = time.Second

// died reports whether a death is acted on before the end of the search. Buckets that are held for a
// bot stay so until nothing of it is left.
func (c *Cluster) died(m runDied) bool {
	if c.held > 0 {
		return false
	}
	c.past.sweeping = m.run
	return true
}

// awaitSweep waits until nothing of the last run is left.
func (c *Cluster) awaitSweep(ctx actor.Context) {
	c.search = search{}
	c.Enter(string(messages.ClusterWaiting), c.sweeping)
	c.In(ctx, sweepWithin)
}

// sweeping waits for the end of the search for what the last run left behind.
func (c *Cluster) sweeping(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case runExited:
		c.abandon()
		if m.exit.Doubt != "" {
			c.doubt(ctx, errors.New(m.exit.Doubt))
			return
		}
		c.follow(ctx, m.exit.Left)
	case world.Timeout, world.Recovered: // the message may have been lost to a panic of ours
		c.seekNext(ctx)
	case found:
		c.answered(ctx, m)
	case messages.StopRun:
		c.search.leaving = true
	default:
		c.always(ctx)
	}
}

// follow does what waited for the end of the search: it stops, fails for good, or starts the next
// run.
func (c *Cluster) follow(ctx actor.Context, left int) {
	c.logLeft(left)
	c.past.sweeping = ""
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

// leftBehind looks for what a dead process left behind, where its exit does not say that nothing
// is. What is to follow its end waits for the answer.
func (c *Cluster) leftBehind(ctx actor.Context, e proc.Exit) (unknown bool) {
	if e.Doubt == "" {
		return false
	}
	c.search = search{ended: true}
	c.doubt(ctx, errors.New(e.Doubt))
	return true
}

// logLeft logs what the report of a death could not name.
func (c *Cluster) logLeft(n int) {
	if n > 0 {
		c.Log.Warn().Int("processes", n).Msg("processes of a dead run ran on in the background and were ended")
	}
}
