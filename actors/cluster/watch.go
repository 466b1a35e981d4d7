package cluster

import (
	"fmt"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file watches the deadlines of a Cluster: its next sign of life, and the progress of each
// shard.

// beatSlack divides the interval: a heartbeat may come that much later than two intervals.
const beatSlack = 10

// probesMissed is the number of unanswered probes in a row that mean that the bot hangs. A stock
// Discordoo sends no heartbeats and is probed with HELLO, which it answers at any time (PROTOCOL
// A3, Liveness), unless node is busy.
const probesMissed = 6

// askAgainEvery is the pause before an unanswered permit request is repeated, with the same id.
const askAgainEvery = 30 * time.Second

// arm sets the timeout to the next deadline. A dying cluster uses the timeout for its end.
func (c *Cluster) arm(ctx actor.Context) {
	if next := c.nextDeadline(); !next.IsZero() && !c.dying() {
		c.In(ctx, time.Until(next))
	}
}

func (c *Cluster) nextDeadline() time.Time {
	next := c.relinkBy
	if next.IsZero() && !c.outage {
		next = c.startBy
	}
	sooner := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	for _, s := range c.shards {
		if s.request != nil {
			sooner(s.requestedAt.Add(askAgainEvery))
		}
		if !c.outage {
			sooner(s.deadline)
			sooner(c.stuckAt(s))
		}
	}
	switch {
	case c.shards == nil:
	case c.has(messages.FeatureHeartbeat):
		sooner(c.muteAt())
	case c.toBeProbed():
		sooner(c.probeAt())
	}
	return next
}

// muteAt returns when two heartbeats are missing, on any link. Once they are missing it adds the
// time to read what is in the socket. A lost link, on which none can come, is excused once.
func (c *Cluster) muteAt() time.Time {
	at := c.lastBeat.Add(2 * c.options.Heartbeat)
	if c.missedAt.After(c.lastBeat) {
		at = c.missedAt.Add(c.options.Heartbeat / beatSlack)
	}
	if c.link == nil && !c.beatByHello && at.Before(c.relinkBy) {
		return c.relinkBy
	}
	return at
}

// toBeProbed reports whether the bot sends no heartbeats, but can be probed.
func (c *Cluster) toBeProbed() bool {
	if c.options.Protocol == messages.ProtocolEnv {
		return c.options.Probe != "" && !c.up.IsZero()
	}
	return c.link != nil && !c.has(messages.FeatureHeartbeat)
}

// probeAt returns when the next probe is due, or the answer to the last one is late.
func (c *Cluster) probeAt() time.Time {
	return c.lastBeat.Add(time.Duration(c.probes+1) * c.options.Heartbeat)
}

// probe sends a probe, or kills the bot after probesMissed of them and returns true.
func (c *Cluster) probe(ctx actor.Context) (hangs bool) {
	if c.probes == probesMissed {
		why := fmt.Sprintf("%d HELLOs were not answered in %v", c.probes, time.Since(c.lastBeat))
		if c.silence != nil {
			why = fmt.Sprintf("%d probes failed in %v, the last one with: %v", c.probes, time.Since(c.lastBeat), c.silence)
		}
		c.killLate(ctx, syscall.SIGKILL, &Failure{Cause: messages.CauseMute, Err: why})
		return true
	}
	c.probes++
	if c.options.Protocol == messages.ProtocolEnv {
		send, run := world.Sender(ctx), c.thisRun()
		c.fetch(c.options.Probe, func(err error) { send(probeEnded{run, err}) })
		return false
	}
	c.hello(nil)
	return false
}

// probed takes the answer to a probe by HTTP.
func (c *Cluster) probed(ctx actor.Context, m probeEnded) {
	if c.dying() {
		return
	}
	if c.silence = m.err; m.err == nil {
		c.lastBeat, c.probes = time.Now(), 0
		c.arm(ctx)
	}
}

// muteError describes missing heartbeats.
func (c *Cluster) muteError(now time.Time) string {
	why := fmt.Sprintf("no heartbeat for %v", now.Sub(c.lastBeat))
	if c.relinks > 0 {
		why += fmt.Sprintf(", while its socket closed %d times", c.relinks)
	}
	return why
}

// relinkError describes a socket that closed and is not back.
func (c *Cluster) relinkError() string {
	if c.link != nil {
		return fmt.Sprintf("the socket closed and opened again, but HELLO was not answered within %v", relinkWithin)
	}
	return fmt.Sprintf("the socket closed and did not open again within %v: %v", relinkWithin, c.dialErr)
}

// muteAfter returns the longest silence of a working bot.
func (c *Cluster) muteAfter() time.Duration {
	return 2*c.options.Heartbeat + c.options.Heartbeat/beatSlack
}

// watch acts on the deadlines that have passed. A late timer means that this machine was suspended,
// not the bot: every deadline is set again (DESIGN §3).
func (c *Cluster) watch(ctx actor.Context, t world.Timeout) {
	now := time.Now()
	switch late := now.Sub(t.Due); {
	case late > c.options.Heartbeat:
		ctx.Send(c.addresses.Events, messages.ControlStalled{Actor: "cluster " + c.plan.ID.String(), LateMS: messages.Millis(late)})
		c.lastBeat, c.probes = now, 0
		if !c.relinkBy.IsZero() {
			c.relinkBy = now.Add(relinkWithin)
		}
		if !c.startBy.IsZero() {
			c.startBy = c.startBy.Add(late)
		}
		for _, s := range c.shards {
			if !s.deadline.IsZero() {
				s.deadline = now.Add(c.readyTimeout())
			}
			if !s.down.IsZero() {
				s.down = s.down.Add(late)
			}
		}
		c.hello(nil)
	case !c.relinkBy.IsZero() && !now.Before(c.relinkBy):
		c.killLate(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseIPCLost, Err: c.relinkError()})
		return
	case c.has(messages.FeatureHeartbeat) && !now.Before(c.muteAt()) && !c.missedAt.After(c.lastBeat):
		c.missedAt = now // its heartbeats may be unread in the socket after a suspension
	case c.has(messages.FeatureHeartbeat) && !now.Before(c.muteAt()):
		c.killLate(ctx, syscall.SIGKILL, &Failure{Cause: messages.CauseMute, Err: c.muteError(now)})
		return
	}
	if c.toBeProbed() && !now.Before(c.probeAt()) && c.probe(ctx) || c.overdue(ctx, now) {
		return
	}
	for _, id := range c.plan.Shards.Shards() {
		if s := c.shards[id]; s.request != nil && !now.Before(s.requestedAt.Add(askAgainEvery)) { // the gate may have lost it to a panic; the id is the same
			c.asked(ctx, *s.request)
		}
		if c.outage {
			continue // waiting for Discord is not failing
		}
		if c.unstick(ctx, id, now) {
			return
		}
		if s := c.shards[id]; !s.deadline.IsZero() && !now.Before(s.deadline) {
			c.killLate(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseStartTimeout, Err: fmt.Sprintf("shard %d stayed %s for %v", id, s.state, c.readyTimeout()), WaitedFor: c.waitsFor()})
			return
		}
	}
	c.arm(ctx)
}

// stuckAt returns when the next step for a shard that is down is due; zero: none.
func (c *Cluster) stuckAt(s *shard) time.Time {
	switch {
	case s.down.IsZero():
		return time.Time{}
	case !s.reportedStuck:
		return s.down.Add(plan.StuckAfter)
	case !s.reconnecting:
		return s.down.Add(plan.ReconnectAfter)
	case c.up.IsZero() && plan.WaitsForDiscord(s.state):
		return time.Time{}
	default:
		return s.down.Add(plan.LostAfter)
	}
}

// unstick takes the due step for a shard that is down: it reports the shard, then asks the bot to
// reconnect it, then restarts the cluster and returns true.
func (c *Cluster) unstick(ctx actor.Context, id int, now time.Time) (restarted bool) {
	s := c.shards[id]
	at := c.stuckAt(s)
	switch {
	case at.IsZero() || now.Before(at):
	case !s.reportedStuck:
		s.reportedStuck = true
		ctx.Send(c.addresses.Events, messages.ShardStuck{Cluster: c.plan.ID, Shard: id, State: s.state, DownMS: messages.Millis(now.Sub(s.down)), Reason: plan.StuckReason(s.state)})
	case !s.reconnecting:
		s.reconnecting = true
		c.send(messages.Reconnect{EventID: c.mint.New(now, messages.ManagerShard), Shard: id})
	default:
		cause := messages.CauseShardsLost
		if c.up.IsZero() {
			cause = messages.CauseStartTimeout
		}
		c.kill(ctx, syscall.SIGTERM, &Failure{Cause: cause, Err: fmt.Sprintf("shard %d was %s for %v: %s", id, s.state, now.Sub(s.down), plan.StuckReason(s.state)), WaitedFor: c.waitsFor()})
		return true
	}
	return false
}
