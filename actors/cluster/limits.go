package cluster

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file limits a cluster's use of what all clusters of the machine share: the gate, the session
// book, the event bus, and through them the link to MASTER. Reports of a bot within its limits pass
// at once. Faster ones wait here, only the newest of each shard, so that a bot that floods CONTROL
// delays only itself.

// limits holds a cluster's limits, and what waits.
type limits struct {
	requests, moves, books plan.Limiter
	moved                  map[int]messages.ShardMoved // by shard
	figures                bool                        // the number of READY shards changed
	kept                   map[int]messages.Session    // by shard
	gone                   map[int]bool
	due                    bool       // passOnDue is pending
	peer                   plan.Quota // of reports about unreadable packets

	grants map[messages.Snowflake]string // unreported permits: the gate's id by the bot's
}

// passOnEvery is the pause before waiting reports are passed on.
const passOnEvery = 250 * time.Millisecond

// passOnDue is the timer of that.
type passOnDue struct{ ofRun }

// newLimits returns the limits of a cluster. A start takes each shard through five states, a
// reconnect through four; a shard asks for a permit at most every 5 s, and gets a session as often.
func newLimits(shards int) limits {
	n := float64(shards)
	return limits{
		requests: plan.Limiter{Burst: 4*shards + 16, PerSecond: 1 + n/2},
		moves:    plan.Limiter{Burst: 16*shards + 64, PerSecond: 8 + 2*n},
		books:    plan.Limiter{Burst: 2*shards + 32, PerSecond: 2 + n/2},
		moved:    map[int]messages.ShardMoved{}, kept: map[int]messages.Session{}, gone: map[int]bool{}, peer: plan.Peer(), grants: map[messages.Snowflake]string{},
	}
}

// passOnLater schedules passOn.
func (c *Cluster) passOnLater(ctx actor.Context) {
	if !c.due {
		c.due = true
		c.After(ctx, passOnEvery, passOnDue{c.thisRun()})
	}
}

// passOn passes on what waits, as far as the limits allow.
func (c *Cluster) passOn(ctx actor.Context) {
	c.due = false
	now := time.Now()
	for _, shard := range slices.Sorted(maps.Keys(c.moved)) {
		if c.moves.Take(now) {
			ctx.Send(c.addresses.Events, c.moved[shard])
			delete(c.moved, shard)
		}
	}
	if c.figures {
		c.figures = false
		c.report(ctx)
	}
	if len(c.kept)+len(c.gone) > 0 && c.books.Take(now) {
		c.passSessions(ctx)
	}
	deferred := false
	for _, id := range c.plan.Shards.Shards() {
		if s := c.shards[id]; s != nil && s.request != nil && s.deferred {
			c.ask(ctx, s)
			deferred = deferred || s.deferred
		}
	}
	if deferred || len(c.moved)+len(c.kept)+len(c.gone) > 0 {
		c.passOnLater(ctx)
	}
}

// misread reports an unreadable packet of the bot.
func (c *Cluster) misread(ctx actor.Context, err error) {
	if times, ok := c.peer.Pass(time.Now()); ok {
		ctx.Send(c.addresses.Events, messages.PacketDropped{From: "cluster " + c.plan.ID.String(), Err: err.Error(), Times: plan.Times(times)})
	}
}

// reportMove sends the event of a shard's new state, at once or later, and reports whether at once.
func (c *Cluster) reportMove(ctx actor.Context, e messages.ShardMoved) bool {
	if len(c.moved) > 0 || !c.moves.Take(time.Now()) {
		c.moved[e.Shard] = e
		c.passOnLater(ctx)
		return false
	}
	ctx.Send(c.addresses.Events, e)
	return true
}

// ask sends a shard's permit request to the gate, or repeats it.
func (c *Cluster) ask(ctx actor.Context, s *shard) {
	if !c.requests.Take(time.Now()) {
		s.deferred = true
		c.passOnLater(ctx)
		return
	}
	s.deferred, s.atGate = false, true
	cause := s.request.Cause
	if cause == messages.CauseStart && c.restarted { // the bot cannot know
		cause = messages.CauseCrash
	}
	ctx.Request(c.addresses.Gate, messages.WantPermit{ID: s.requestID, Cluster: c.plan.ID, Shards: c.plan.Shards.Len(), Shard: s.request.Shard, Cause: cause})
}

// permitSent passes on that a permit was used, or a request withdrawn. An unknown permit may be
// from before a panic of this actor.
func (c *Cluster) permitSent(ctx actor.Context, p messages.PermitSent) {
	id, granted := c.grants[p.EventID]
	delete(c.grants, p.EventID)
	s := c.shards[p.Shard]
	switch {
	case granted:
	case s != nil && s.request != nil && s.request.EventID == p.EventID:
		if id = s.requestID; !s.atGate {
			id = ""
		}
	case c.requests.Take(time.Now()):
		id = c.permitID(p.EventID)
	}
	c.requestAnswered(ctx, p.Shard, p.EventID, time.Now())
	if id != "" {
		ctx.Send(c.addresses.Gate, messages.PermitUsed{ID: id, Sent: p.Sent})
	}
	if s != nil && p.Sent {
		s.sent = id
	}
}

// keep passes the instance's sessions to the book, if the instance announced that feature.
func (c *Cluster) keep(ctx actor.Context, sessions []messages.Session, gone []int) {
	if !c.has(messages.FeatureSessions) {
		return
	}
	for _, s := range sessions {
		if c.plan.Shards.Contains(s.Shard) {
			c.kept[s.Shard] = plan.Merge(c.kept[s.Shard], s)
			delete(c.gone, s.Shard)
		}
	}
	for _, shard := range gone {
		if c.plan.Shards.Contains(shard) {
			c.gone[shard] = true
			delete(c.kept, shard)
		}
	}
	switch {
	case len(c.kept)+len(c.gone) == 0:
	case !c.books.Take(time.Now()):
		c.passOnLater(ctx)
	default:
		c.passSessions(ctx)
	}
}

// passSessions sends the waiting sessions to the book.
func (c *Cluster) passSessions(ctx actor.Context) {
	if len(c.kept)+len(c.gone) == 0 {
		return
	}
	m := messages.KeepSessions{Cluster: c.plan.ID, Gone: slices.Sorted(maps.Keys(c.gone))}
	for _, shard := range slices.Sorted(maps.Keys(c.kept)) {
		m.Sessions = append(m.Sessions, c.kept[shard])
	}
	clear(c.kept)
	clear(c.gone)
	ctx.Send(c.addresses.Sessions, m)
}
