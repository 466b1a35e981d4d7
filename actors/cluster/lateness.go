package cluster

import (
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file gives a process more time: while the machine is short of CPU time, because a late
// process may be healthy then, and after a start that was too slow, because the next one may be
// too.

// patience is the state of a late process.
type lateness struct {
	late    time.Time // since when its lateness is tolerated; zero: it is not
	allowed bool      // the supervisor allowed its kill
}

// tolerates reports whether a late process is left alone for now because the machine is short of
// CPU time. It is checked again after a heartbeat. When the tolerance is used up the process may be
// killed, one process of the machine at a time, which gives time to the others.
func (c *Cluster) tolerates(ctx actor.Context) bool {
	now := time.Now()
	if c.late.IsZero() || c.lastBeat.After(c.late) {
		c.late, c.allowed = now, c.allowed && c.late.IsZero()
	}
	switch plan.Late(c.W.Starved(), c.allowed, now.Sub(c.late)) {
	case plan.LateKill:
		return false
	case plan.LateAsk:
		ctx.Request(ctx.Parent(), messages.KillWanted{Cluster: c.plan.ID})
	}
	c.In(ctx, c.options.Heartbeat)
	return true
}

// killLate kills a process that missed a deadline, unless its lateness is tolerated. The caller has
// nothing more to do in either case.
func (c *Cluster) killLate(ctx actor.Context, sig syscall.Signal, why *Failure) {
	if c.tolerates(ctx) {
		return
	}
	if c.W.Starved() || c.allowed {
		why.Starved, why.Trouble = true, starving(why.Err)
	}
	if c.up.IsZero() {
		c.handover.slow++
	}
	c.kill(ctx, sig, why)
}

// mayKill handles the supervisor's permission to kill the process. The state checks again whether
// it is late.
func (c *Cluster) mayKill(ctx actor.Context) {
	if c.dying() || c.process == nil {
		return
	}
	c.allowed = true
	c.In(ctx, 0)
}

// helloTimeout returns the time for this start until HELLO is answered, readyTimeout that for a
// shard until it is READY.
func (c *Cluster) helloTimeout() time.Duration {
	return plan.Stretched(c.options.HelloTimeout, c.handover.slow)
}
func (c *Cluster) readyTimeout() time.Duration {
	return plan.Stretched(c.options.ReadyTimeout, c.handover.slow)
}
