package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file keeps the states and the permit requests of a Cluster's shards.

// shard is the state of one shard.
type shard struct {
	state         messages.ShardState
	deadline      time.Time           // of its next progress; zero: it waits for CONTROL or Discord
	unready       time.Time           // since when it is not READY; zero: READY, or its bot does not report
	down          time.Time           // since when it is so without waiting for a permit; zero: READY, or waiting for one
	reportedStuck bool                // the event that it is stuck was sent
	reconnecting  bool                // the bot was asked to reconnect it
	request       *messages.PermitAsk // its open permit request; nil: none
	requestID     string              // the gate's id of the request, kept when the bot repeats it
	requestedAt   time.Time           // when the bot, or CONTROL for it, asked last
	atGate        bool                // the request was sent to the gate
	deferred      bool                // the request waits for the cluster's limit
	sent          string              // the gate's id of the used permit, until Discord has answered
	latency       messages.Milliseconds
	guilds        *int      // nil: unknown
	rate          plan.Rate // of events
	backlog
}

// connected marks all shards READY, for an instance that does not report them.
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
	case c.shards == nil: // before its IDENTIFY: the bot asks again after it
		return
	case s == nil:
		c.send(messages.PermitGrant{EventID: p.EventID, Shard: p.Shard, RetryAfterMS: messages.Millis(c.options.ReadyTimeout),
			Reason: fmt.Sprintf("shard %d is not of cluster %d, which has %s", p.Shard, c.plan.ID, c.plan.Shards)})
		return
	}
	again := s.request != nil && s.request.EventID == p.EventID
	if s.request == nil {
		s.requestID, s.atGate = c.permitID(p.EventID), false
	}
	s.deadline, s.request, s.requestedAt = time.Time{}, &p, time.Now()
	s.noteDown(time.Now())
	c.arm(ctx)
	if again || !s.atGate {
		c.ask(ctx, s)
	}
}

// permit passes a permit on to the bot, or back to the gate if the bot cannot be reached.
func (c *Cluster) permit(ctx actor.Context, p messages.Permit) {
	if !c.options.asksItself() {
		c.booked(ctx, p)
		return
	}
	_, event, ours := strings.Cut(p.ID, "/")
	if !ours || c.permitID(messages.Snowflake(event)) != p.ID {
		return // of an earlier run
	}
	grant := messages.PermitGrant{EventID: messages.Snowflake(event), Shard: p.Shard, Granted: p.Granted, RetryAfterMS: messages.Millis(p.RetryAfter), Reason: p.Reason}
	if p.Granted { // the bot drops an expired one and asks again
		left := max(time.Until(p.UseBefore), time.Millisecond)
		grant.UseWithinMS, grant.UseBefore = messages.Millis(left), new(c.W.AtWall(p.UseBefore))
		if up := c.W.Uptime(); up > 0 {
			grant.UseBeforeUp = messages.Millis(up + left)
		}
	}
	switch s := c.shards[p.Shard]; {
	case s == nil || s.request == nil:
	case s.requestID != p.ID:
		return // replaced by another request
	default:
		grant.EventID = s.request.EventID // the newest
	}
	if p.Granted {
		c.grants[grant.EventID] = p.ID
		if len(c.grants) > grantsKept*c.plan.Shards.Len() { // the bot does not report them; the gate counts them as used
			clear(c.grants)
		}
	}
	c.requestAnswered(ctx, p.Shard, grant.EventID, time.Now().Add(p.RetryAfter))
	sent := c.send(grant)
	if !sent && p.Granted {
		ctx.Send(c.addresses.Gate, messages.PermitUsed{ID: p.ID, Sent: false})
	}
}

// grantsKept bounds the unreported permits of a shard.
const grantsKept = 8

// requestAnswered ends a shard's wait for a permit. Nothing else ends it, whatever happens to its
// connection: the bot asks once and waits. From then on the bot's own deadlines count.
func (c *Cluster) requestAnswered(ctx actor.Context, shard int, event messages.Snowflake, then time.Time) {
	if s := c.shards[shard]; s != nil && s.request != nil && s.request.EventID == event {
		s.request = nil
		s.noteDown(then)
		c.arm(ctx)
	}
}

// permitID returns the gate's id of a bot's permit request: unique, whatever event ids the bots
// use.
func (c *Cluster) permitID(event messages.Snowflake) string {
	return string(c.run.Instance) + "/" + string(event)
}

func (c *Cluster) shardMoved(ctx actor.Context, p messages.ShardStatus) {
	s := c.shards[p.Shard]
	if s != nil && p.CloseCode != 0 {
		c.closeCode = p.CloseCode // also from a dead process
	}
	if s == nil || c.dying() {
		return
	}
	moved, ready, out := s.state != p.State, c.ready(), c.out()
	s.state, s.latency = p.State, p.LatencyMS
	if p.Guilds != nil {
		s.guilds = p.Guilds
	}
	c.backlogReported(ctx, s, p)
	switch {
	case moved:
		s.rate = plan.Rate{} // its figures are of the previous state
	case p.Events != nil:
		s.rate.Count(*p.Events, time.Now())
	}
	switch p.State {
	case messages.ShardReady, messages.ShardWaitingPermit, messages.ShardConnecting, messages.ShardDisconnected:
		s.deadline = time.Time{} // it is READY, or waits for CONTROL or Discord
	case messages.ShardResuming:
		s.deadline = time.Now().Add(c.readyTimeout())
	}
	s.noteDown(time.Now())
	if !moved {
		return
	}
	c.arrivedAtDiscord(ctx, s)
	passed := c.reportMove(ctx, messages.ShardMoved{Cluster: c.plan.ID, Shard: p.Shard, State: p.State, CloseCode: p.CloseCode, LatencyMS: p.LatencyMS})
	if c.ready() == c.plan.Shards.Len() && c.State() == string(messages.ClusterConnecting) {
		c.arrived(ctx)
		passed = true // once a run
		if c.adopted {
			ctx.Send(c.addresses.Events, messages.ClusterAdopted{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), PID: c.process.PID()})
		} else {
			ctx.Send(c.addresses.Events, messages.ClusterReady{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), PID: c.process.PID(), TookMS: messages.Millis(c.up.Sub(c.started)),
				Assumed: c.assumes()})
		}
	}
	switch changed := c.ready() != ready || c.out() != out; {
	case changed && passed:
		c.report(ctx)
	case changed:
		c.figures = true
	}
	c.arm(ctx)
}

// arrivedAtDiscord reports that Discord has answered a shard's identify. Only READY that follows it
// directly is its answer.
func (c *Cluster) arrivedAtDiscord(ctx actor.Context, s *shard) {
	switch {
	case s.sent == "" || s.state == messages.ShardIdentifying:
		return
	case s.state == messages.ShardReady:
		ctx.Send(c.addresses.Gate, messages.PermitArrived{ID: s.sent})
	}
	s.sent = ""
}

// arrived moves the cluster to serving: every shard is READY.
func (c *Cluster) arrived(ctx actor.Context) {
	c.up, c.startBy, c.lastBeat = time.Now(), time.Time{}, time.Now()
	c.handover.slow = 0
	c.releaseHolds(ctx, true)
	c.Enter(string(messages.ClusterServing), c.serving)
	if !c.has(messages.FeatureShards) && !c.served { // the next run of CONTROL gets no report of it
		c.served = true
		c.note(ctx, c.process)
	}
}

// noteDown keeps since when a shard is not READY, and since when that is not CONTROL's doing: a
// shard with an open permit request waits for CONTROL.
func (s *shard) noteDown(now time.Time) {
	switch {
	case s.state == messages.ShardReady:
		s.unready = time.Time{}
	case s.unready.IsZero():
		s.unready = now
	}
	switch {
	case s.state == messages.ShardReady, s.request != nil:
		s.down, s.reportedStuck, s.reconnecting = time.Time{}, false, false
	case s.down.IsZero():
		s.down = now
	}
}

// setOutage begins or ends an outage of Discord, in which nothing is due. At its end every deadline
// is set again.
func (c *Cluster) setOutage(ctx actor.Context, on bool) {
	c.outage = on
	if on {
		return
	}
	now := time.Now()
	for _, s := range c.shards {
		if !s.deadline.IsZero() {
			s.deadline = now.Add(c.readyTimeout())
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

// out counts the shards that Discord disconnected, or that cannot reach it.
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

// waitsFor returns what the start waits for, in one line.
func (c *Cluster) waitsFor() string {
	switch {
	case c.shards == nil && c.link == nil:
		return "the socket " + c.run.Socket
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
