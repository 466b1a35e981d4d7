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

// This file is by when a Cluster must have shown a sign of life, and each of its shards must have moved on.

// beatSlack is how much later than two intervals a heartbeat may come, as a share of the interval.
const beatSlack = 10

// An instance that sends no heartbeats, a stock Discordoo, is asked for a sign of life by HELLO,
// which it answers at any time (PROTOCOL A3, Liveness). It may be as busy as node lets it be: only
// so many unanswered in a row mean that it hangs.
const probesMissed = 6

// askAgainEvery is how often a wish that is not answered is repeated: the same wish, by its id.
const askAgainEvery = 30 * time.Second

// arm sets the one timeout to the next moment at which something must have happened. A dying cluster has another use for it.
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
		if s.wish != nil {
			sooner(s.wishAt.Add(askAgainEvery))
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

// muteAt is when two heartbeats are missed, on whatever link; and, once that is seen, when what
// lies in the socket has been read. Without a link none can come: that is forgiven once.
func (c *Cluster) muteAt() time.Time {
	at := c.lastBeat.Add(2 * c.options.Heartbeat)
	if c.doubted.After(c.lastBeat) {
		at = c.doubted.Add(c.options.Heartbeat / beatSlack)
	}
	if c.link == nil && !c.vouched && at.Before(c.relinkBy) {
		return c.relinkBy
	}
	return at
}

// toBeProbed reports whether the bot gives no sign of life by itself, but can be asked for one.
func (c *Cluster) toBeProbed() bool {
	if c.options.Protocol == messages.ProtocolEnv {
		return c.options.Probe != "" && !c.up.IsZero()
	}
	return c.link != nil && !c.has(messages.FeatureHeartbeat)
}

// probeAt is when the next question is due, or its answer too late.
func (c *Cluster) probeAt() time.Time {
	return c.lastBeat.Add(time.Duration(c.probes+1) * c.options.Heartbeat)
}

// probe asks a bot for a sign of life, and says whether it hangs.
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
	c.hello(ctx, nil)
	return false
}

// probed takes the answer of a bot that is probed by HTTP.
func (c *Cluster) probed(ctx actor.Context, m probeEnded) {
	if c.dying() {
		return
	}
	if c.silence = m.err; m.err == nil {
		c.lastBeat, c.probes = time.Now(), 0
		c.arm(ctx)
	}
}

// muteError is why a bot that beats is mute.
func (c *Cluster) muteError(now time.Time) string {
	why := fmt.Sprintf("no heartbeat for %v", now.Sub(c.lastBeat))
	if c.relinks > 0 {
		why += fmt.Sprintf(", while its socket closed %d times", c.relinks)
	}
	return why
}

// relinkError is why a socket that closed counts as lost.
func (c *Cluster) relinkError() string {
	if c.link != nil {
		return fmt.Sprintf("the socket closed and opened again, but HELLO was not answered within %v", relinkWithin)
	}
	return fmt.Sprintf("the socket closed and did not open again within %v: %v", relinkWithin, c.dialErr)
}

// muteAfter is how long a living bot is silent at most.
func (c *Cluster) muteAfter() time.Duration {
	return 2*c.options.Heartbeat + c.options.Heartbeat/beatSlack
}

// watch looks at what should have happened by now. A timer that comes late proves that we slept, not the bot: everything gets its time anew (DESIGN §3).
func (c *Cluster) watch(ctx actor.Context, t world.Timeout) {
	now := time.Now()
	switch late := now.Sub(t.Due); {
	case late > c.options.Heartbeat:
		ctx.Send(c.addresses.Events, messages.ControlStalled{Actor: "cluster " + c.plan.ID.String(), LateMS: messages.Millis(late)})
		c.lastBeat, c.probes = now, 0
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
		c.hello(ctx, nil)
	case !c.relinkBy.IsZero() && !now.Before(c.relinkBy):
		c.killLate(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseIPCLost, Err: c.relinkError()})
		return
	case c.has(messages.FeatureHeartbeat) && !now.Before(c.muteAt()) && !c.doubted.After(c.lastBeat):
		c.doubted = now // its heartbeats may lie in the socket, unread because we slept
	case c.has(messages.FeatureHeartbeat) && !now.Before(c.muteAt()):
		c.killLate(ctx, syscall.SIGKILL, &Failure{Cause: messages.CauseMute, Err: c.muteError(now)})
		return
	}
	if c.toBeProbed() && !now.Before(c.probeAt()) && c.probe(ctx) || c.overdue(ctx, now) {
		return
	}
	for _, id := range c.plan.Shards.Shards() {
		if s := c.shards[id]; s.wish != nil && !now.Before(s.wishAt.Add(askAgainEvery)) { // the gate may have lost it to a panic of ours; it is the same wish, by its id
			c.asked(ctx, *s.wish)
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

// stuckAt is when the next thing is done about a shard that is down; zero: nothing is.
func (c *Cluster) stuckAt(s *shard) time.Time {
	switch {
	case s.down.IsZero():
		return time.Time{}
	case !s.said:
		return s.down.Add(plan.StuckAfter)
	case !s.told:
		return s.down.Add(plan.ReconnectAfter)
	case c.up.IsZero() && plan.WaitsForDiscord(s.state):
		return time.Time{}
	default:
		return s.down.Add(plan.LostAfter)
	}
}

// unstick does what is due about a shard that is down: it is said, then its bot is told to connect it anew, then the cluster is restarted, which is when it gives true.
func (c *Cluster) unstick(ctx actor.Context, id int, now time.Time) (restarted bool) {
	s := c.shards[id]
	at := c.stuckAt(s)
	switch {
	case at.IsZero() || now.Before(at):
	case !s.said:
		s.said = true
		ctx.Send(c.addresses.Events, messages.ShardStuck{Cluster: c.plan.ID, Shard: id, State: s.state, DownMS: messages.Millis(now.Sub(s.down)), Reason: plan.StuckReason(s.state)})
	case !s.told:
		s.told = true
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
