package cluster

import (
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file gives a process more time: while the machine is short of CPU time, when whoever is late
// may be well, and behind a start that was too slow, which the next one may be as well.

// patience is what a Cluster knows of its process's lateness.
type patience struct {
	late    time.Time // since when its lateness is forgiven; zero: it is not
	allowed bool      // the supervisor lets it be killed now
}

// forgives reports whether a process that is late is left alone for now, because the machine is
// short of CPU time. It is looked at again in a heartbeat. Once enough was forgiven the process may
// be killed, but one process at a time: that gives time to the others.
func (c *Cluster) forgives(ctx actor.Context) bool {
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

// killLate ends a process that did not do something in time, unless that is forgiven. Either way
// the caller has nothing more to do.
func (c *Cluster) killLate(ctx actor.Context, sig syscall.Signal, why *Failure) {
	if c.forgives(ctx) {
		return
	}
	if c.W.Starved() || c.allowed {
		why.Starved, why.Held = true, starving(why.Err)
	}
	if c.up.IsZero() {
		c.past.slow++
	}
	c.kill(ctx, sig, why)
}

// mayKill: the supervisor lets the process be killed. Whether it is late still is looked at in its
// state.
func (c *Cluster) mayKill(ctx actor.Context) {
	if c.dying() || c.process == nil {
		return
	}
	c.allowed = true
	c.In(ctx, 0)
}

// helloTimeout is how long this start may take until HELLO is answered, and readyTimeout a shard
// until it is READY.
func (c *Cluster) helloTimeout() time.Duration {
	return plan.Stretched(c.options.HelloTimeout, c.past.slow)
}
func (c *Cluster) readyTimeout() time.Duration {
	return plan.Stretched(c.options.ReadyTimeout, c.past.slow)
}
