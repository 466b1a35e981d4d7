package actors

import (
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file is what a Cluster knows of its shards: their states, their wishes, and by when each must have moved on.

// shard is what is known of one shard of the cluster.
type shard struct {
	state    messages.ShardState
	deadline time.Time           // when it must have moved on; zero: it waits for others, which is not failing
	down     time.Time           // since when it is not READY in a serving cluster, for no fault of ours; zero: it is
	said     bool                // that it is stuck
	told     bool                // to connect anew
	wish     *messages.PermitAsk // what it waits for a permit with; nil: it does not
	wishAt   time.Time           // when the gate was asked last
	latency  messages.Milliseconds
	guilds   *int      // nil: not known
	rate     plan.Rate // of events
}

// beatSlack is how much later than two intervals a heartbeat may come, as a share of the interval.
const beatSlack = 10

// connected is the word of an instance that does not report its shards: all of them are READY.
func (c *Cluster) connected(ctx actor.Context) {
	for _, id := range c.plan.Shards.Shards() {
		c.shardMoved(ctx, messages.ShardStatus{Shard: id, State: messages.ShardReady})
	}
}

func (c *Cluster) asked(ctx actor.Context, p messages.PermitAsk) {
	s := c.shards[p.Shard]
	switch {
	case c.dying():
		return
	case c.shards == nil: // from before its IDENTIFY: it is asked again behind that
		return
	case s == nil:
		c.send(messages.PermitGrant{EventID: p.EventID, Shard: p.Shard, RetryAfterMS: messages.Millis(c.options.ReadyTimeout),
			Reason: fmt.Sprintf("shard %d is not of cluster %d, which has %s", p.Shard, c.plan.ID, c.plan.Shards)})
		return
	}
	s.deadline, s.wish, s.wishAt = time.Time{}, &p, time.Now()
	c.arm(ctx)
	cause := p.Cause
	if cause == messages.CauseStart && c.reborn { // the bot cannot know
		cause = messages.CauseCrash
	}
	ctx.Request(c.house.Gate, messages.WantPermit{ID: c.permitID(p.EventID), Cluster: c.plan.ID, Shards: c.plan.Shards.Len(), Shard: p.Shard, Cause: cause})
}

// permit hands a permit on, or back where the bot cannot be reached.
func (c *Cluster) permit(ctx actor.Context, p messages.Permit) {
	if !c.options.asksItself() {
		c.booked(ctx, p)
		return
	}
	_, event, ours := strings.Cut(p.ID, "/")
	if !ours || c.permitID(messages.Snowflake(event)) != p.ID {
		return // of a life before this one
	}
	grant := messages.PermitGrant{EventID: messages.Snowflake(event), Shard: p.Shard, Granted: p.Granted, RetryAfterMS: messages.Millis(p.RetryAfter), Reason: p.Reason}
	if p.Granted { // an overdue one is thrown away by the bot, and asked for again
		grant.UseWithinMS, grant.UseBefore = messages.Millis(max(time.Until(p.UseBefore), time.Millisecond)), new(messages.At(p.UseBefore))
	}
	c.answeredWish(p.Shard, grant.EventID)
	sent := c.send(grant)
	if !sent && p.Granted {
		ctx.Send(c.house.Gate, messages.PermitUsed{ID: p.ID, Sent: false})
	}
}

// answeredWish ends a shard's wait for a permit. Nothing else does, whatever its connection goes through meanwhile: the bot asks once, and waits.
func (c *Cluster) answeredWish(shard int, event messages.Snowflake) {
	if s := c.shards[shard]; s != nil && s.wish != nil && s.wish.EventID == event {
		s.wish = nil
	}
}

// permitID is the gate's name for a bot's wish: unique, whatever event ids the bots use.
func (c *Cluster) permitID(event messages.Snowflake) string {
	return string(c.life.Instance) + "/" + string(event)
}

func (c *Cluster) shardMoved(ctx actor.Context, p messages.ShardStatus) {
	s := c.shards[p.Shard]
	if s != nil && p.CloseCode != 0 {
		c.closeCode = p.CloseCode // a dead process's last word too
	}
	if s == nil || c.dying() {
		return
	}
	moved, ready := s.state != p.State, c.ready()
	s.state, s.latency = p.State, p.LatencyMS
	if p.Guilds != nil {
		s.guilds = p.Guilds
	}
	switch {
	case moved:
		s.rate = plan.Rate{} // its figures are those of the state before
	case p.Events != nil:
		s.rate.Count(*p.Events, time.Now())
	}
	switch p.State {
	case messages.ShardReady, messages.ShardWaitingPermit, messages.ShardConnecting, messages.ShardDisconnected:
		s.deadline = time.Time{} // it is there, or waits for us, or for Discord
	case messages.ShardResuming:
		s.deadline = time.Now().Add(c.options.ReadyTimeout)
	}
	c.noteDown(s)
	if !moved {
		return
	}
	ctx.Send(c.house.Herald, messages.ShardMoved{Cluster: c.plan.ID, Shard: p.Shard, State: p.State, CloseCode: p.CloseCode, LatencyMS: p.LatencyMS})
	if c.ready() == c.plan.Shards.Len() && c.State() == string(messages.ClusterConnecting) {
		c.arrived(ctx)
		if c.adopted {
			ctx.Send(c.house.Herald, messages.ClusterAdopted{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), PID: c.process.PID()})
		} else {
			ctx.Send(c.house.Herald, messages.ClusterReady{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), PID: c.process.PID(), TookMS: messages.Millis(c.up.Sub(c.started))})
		}
	}
	if c.ready() != ready {
		c.tell(ctx)
	}
	c.arm(ctx)
}

// arrived: every shard is READY.
func (c *Cluster) arrived(ctx actor.Context) {
	c.up, c.startBy, c.lastBeat = time.Now(), time.Time{}, time.Now()
	c.letGo(ctx, true)
	c.Enter(string(messages.ClusterServing), c.serving)
	if !c.has(messages.FeatureShards) && !c.served { // the next life of CONTROL is not told again
		c.served = true
		c.note(ctx, c.process)
	}
}

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
			sooner(s.stuckAt())
		}
	}
	switch {
	case c.shards == nil:
	case c.link != nil && c.has(messages.FeatureHeartbeat):
		sooner(c.muteAt())
	case c.toBeProbed():
		sooner(c.probeAt())
	}
	return next
}

// muteAt is when two heartbeats are missed.
func (c *Cluster) muteAt() time.Time { return c.lastBeat.Add(c.muteAfter()) }

// An instance that sends no heartbeats, a stock Discordoo, is asked for a sign of life by HELLO, which it answers at any time (WIRE A3, Liveness). It may be as busy as node
// lets it be: only so many unanswered in a row mean that it hangs.
const probesMissed = 6

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
		c.kill(ctx, syscall.SIGKILL, &Failure{Cause: messages.CauseMute, Err: why})
		return true
	}
	c.probes++
	if c.options.Protocol == messages.ProtocolEnv {
		send, life := world.Sender(ctx), c.life.Instance
		c.fetch(c.options.Probe, func(err error) { send(probeEnded{life, err}) })
		return false
	}
	c.hello(ctx, nil)
	return false
}

// probed takes the answer of a bot that is probed by HTTP.
func (c *Cluster) probed(ctx actor.Context, m probeEnded) {
	if m.life != c.life.Instance || c.dying() {
		return
	}
	if c.silence = m.err; m.err == nil {
		c.lastBeat, c.probes = time.Now(), 0
		c.arm(ctx)
	}
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
		ctx.Send(c.house.Herald, messages.ControlStalled{Actor: "cluster " + c.plan.ID.String(), LateMS: messages.Millis(late)})
		c.lastBeat, c.probes = now, 0
		if !c.startBy.IsZero() {
			c.startBy = c.startBy.Add(late)
		}
		for _, s := range c.shards {
			if !s.deadline.IsZero() {
				s.deadline = now.Add(c.options.ReadyTimeout)
			}
		}
		c.hello(ctx, nil)
	case !c.relinkBy.IsZero() && !now.Before(c.relinkBy):
		c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseIPCLost, Err: fmt.Sprintf("the socket closed and did not open again within %v: %v", relinkWithin, c.dialErr)})
		return
	case c.has(messages.FeatureHeartbeat) && c.link != nil && !now.Before(c.muteAt()):
		c.kill(ctx, syscall.SIGKILL, &Failure{Cause: messages.CauseMute, Err: fmt.Sprintf("no heartbeat for %v", now.Sub(c.lastBeat))})
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
			c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseStartTimeout, Err: fmt.Sprintf("shard %d stayed %s for %v", id, s.state, c.options.ReadyTimeout), WaitedFor: c.waitsFor()})
			return
		}
	}
	c.arm(ctx)
}

// noteDown keeps how long a shard of a serving cluster is down. While it waits for a permit it waits for us.
func (c *Cluster) noteDown(s *shard) {
	switch {
	case c.up.IsZero(), s.state == messages.ShardReady, s.state == messages.ShardWaitingPermit:
		s.down, s.said, s.told = time.Time{}, false, false
	case s.down.IsZero():
		s.down = time.Now()
	}
}

// stuckAt is when the next thing is done about a shard that is down; zero: nothing is.
func (s *shard) stuckAt() time.Time {
	switch {
	case s.down.IsZero():
		return time.Time{}
	case !s.said:
		return s.down.Add(plan.StuckAfter)
	case !s.told:
		return s.down.Add(plan.ReconnectAfter)
	default:
		return s.down.Add(plan.LostAfter)
	}
}

// unstick does what is due about a shard that is down: it is said, then its bot is told to connect it anew, then the cluster is restarted, which is when it gives true.
func (c *Cluster) unstick(ctx actor.Context, id int, now time.Time) (restarted bool) {
	s := c.shards[id]
	at := s.stuckAt()
	switch {
	case at.IsZero() || now.Before(at):
	case !s.said:
		s.said = true
		ctx.Send(c.house.Herald, messages.ShardStuck{Cluster: c.plan.ID, Shard: id, State: s.state, DownMS: messages.Millis(now.Sub(s.down))})
	case !s.told:
		s.told = true
		c.send(messages.Reconnect{EventID: c.mint.New(now, messages.ManagerShard), Shard: id})
	default:
		c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseShardsLost, Err: fmt.Sprintf("shard %d was %s for %v", id, s.state, now.Sub(s.down))})
		return true
	}
	return false
}

// setOutage begins or ends a time in which nothing is due. At its end everything gets its time anew.
func (c *Cluster) setOutage(ctx actor.Context, on bool) {
	c.outage = on
	if on {
		return
	}
	now := time.Now()
	for _, s := range c.shards {
		if !s.deadline.IsZero() {
			s.deadline = now.Add(c.options.ReadyTimeout)
		}
		if !s.down.IsZero() {
			s.down = now
		}
	}
	if !c.startBy.IsZero() {
		c.startBy = now.Add(plan.StockStart(c.plan.Shards))
	}
	if c.State() == string(messages.ClusterConnecting) || c.State() == string(messages.ClusterServing) {
		c.arm(ctx)
	}
}

// out counts the shards that Discord threw out, or that cannot reach it.
func (c *Cluster) out() int {
	n := 0
	for _, s := range c.shards {
		if s.state == messages.ShardDisconnected {
			n++
		}
	}
	return n
}

// ready counts the shards that are READY.
func (c *Cluster) ready() int {
	n := 0
	for _, s := range c.shards {
		if s.state == messages.ShardReady {
			n++
		}
	}
	return n
}

// waitsFor is what the start waits for, in one line.
func (c *Cluster) waitsFor() string {
	switch {
	case c.shards == nil && c.link == nil:
		return "the socket " + c.life.Socket
	case c.shards == nil:
		return "IDENTIFY, the answer to HELLO"
	case !c.up.IsZero():
		return ""
	}
	var missing []string
	for _, id := range c.plan.Shards.Shards() {
		if s := c.shards[id]; s.state != messages.ShardReady {
			missing = append(missing, fmt.Sprintf("shard %d (%s)", id, s.state))
		}
	}
	if len(missing) > 3 {
		missing = append(missing[:3], fmt.Sprintf("%d more", len(missing)-3))
	}
	return strings.Join(missing, ", ")
}
