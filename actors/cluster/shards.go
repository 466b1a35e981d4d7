package cluster

import (
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is what a Cluster knows of its shards: their states and their wishes.

// shard is what is known of one shard of the cluster.
type shard struct {
	state    messages.ShardState
	deadline time.Time           // when it must have moved on; zero: it waits for others, which is not failing
	unready  time.Time           // since when it is not READY; zero: it is, or its bot does not report
	down     time.Time           // since when it is so for no fault of ours; zero: it is READY, or waits for a permit
	said     bool                // that it is stuck
	told     bool                // to connect anew
	wish     *messages.PermitAsk // what it waits for a permit with; nil: it does not
	wishID   string              // the gate's name for the wish: a bot that asks anew while it waits has the same one
	wishAt   time.Time           // when the bot, or we, asked last
	atGate   bool                // the gate has it
	held     bool                // the gate is to be asked as soon as the cluster's share allows
	sent     string              // the gate's name for the permit that it identified with, until Discord has answered
	latency  messages.Milliseconds
	guilds   *int      // nil: not known
	rate     plan.Rate // of events
}

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
	again := s.wish != nil && s.wish.EventID == p.EventID
	if s.wish == nil {
		s.wishID, s.atGate = c.permitID(p.EventID), false
	}
	s.deadline, s.wish, s.wishAt = time.Time{}, &p, time.Now()
	s.noteDown(time.Now())
	c.arm(ctx)
	if again || !s.atGate {
		c.ask(ctx, s)
	}
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
		left := max(time.Until(p.UseBefore), time.Millisecond)
		grant.UseWithinMS, grant.UseBefore = messages.Millis(left), new(c.W.AtWall(p.UseBefore))
		if up := c.W.Uptime(); up > 0 {
			grant.UseBeforeUp = messages.Millis(up + left)
		}
	}
	switch s := c.shards[p.Shard]; {
	case s == nil || s.wish == nil:
	case s.wishID != p.ID:
		return // it was taken back for another wish
	default:
		grant.EventID = s.wish.EventID // the newest
	}
	if p.Granted {
		c.grants[grant.EventID] = p.ID
		if len(c.grants) > grantsKept*c.plan.Shards.Len() { // nobody reports them; to the gate they are used
			clear(c.grants)
		}
	}
	c.answeredWish(ctx, p.Shard, grant.EventID, time.Now().Add(p.RetryAfter))
	sent := c.send(grant)
	if !sent && p.Granted {
		ctx.Send(c.addresses.Gate, messages.PermitUsed{ID: p.ID, Sent: false})
	}
}

// grantsKept is how many permits a shard may have without a report of any.
const grantsKept = 8

// answeredWish ends a shard's wait for a permit. Nothing else does, whatever its connection goes
// through: the bot asks once, and waits. From then on it is the bot's turn.
func (c *Cluster) answeredWish(ctx actor.Context, shard int, event messages.Snowflake, then time.Time) {
	if s := c.shards[shard]; s != nil && s.wish != nil && s.wish.EventID == event {
		s.wish = nil
		s.noteDown(then)
		c.arm(ctx)
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
	moved, ready, out := s.state != p.State, c.ready(), c.out()
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
		passed = true // once a life
		if c.adopted {
			ctx.Send(c.addresses.Events, messages.ClusterAdopted{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), PID: c.process.PID()})
		} else {
			ctx.Send(c.addresses.Events, messages.ClusterReady{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), PID: c.process.PID(), TookMS: messages.Millis(c.up.Sub(c.started)),
				Assumed: c.assumes()})
		}
	}
	switch changed := c.ready() != ready || c.out() != out; {
	case changed && passed:
		c.tell(ctx)
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

// arrived: every shard is READY.
func (c *Cluster) arrived(ctx actor.Context) {
	c.up, c.startBy, c.lastBeat = time.Now(), time.Time{}, time.Now()
	c.past.slow = 0
	c.letGo(ctx, true)
	c.Enter(string(messages.ClusterServing), c.serving)
	if !c.has(messages.FeatureShards) && !c.served { // the next life of CONTROL is not told again
		c.served = true
		c.note(ctx, c.process)
	}
}

// noteDown keeps how long a shard is not READY, and since when that is its own affair: while it
// waits for a permit that it asked for it waits for us.
func (s *shard) noteDown(now time.Time) {
	switch {
	case s.state == messages.ShardReady:
		s.unready = time.Time{}
	case s.unready.IsZero():
		s.unready = now
	}
	switch {
	case s.state == messages.ShardReady, s.wish != nil:
		s.down, s.said, s.told = time.Time{}, false, false
	case s.down.IsZero():
		s.down = now
	}
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
