package cluster

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is a cluster's share of what all clusters of the machine have in common: the gate, the
// book of sessions, the event bus, and behind them the link to MASTER. What a bot says goes on at
// once within its share. What comes faster waits here, of each shard the newest only, so that a bot
// that floods CONTROL delays itself alone.

// shares is what a cluster may pass on, and what waits.
type shares struct {
	wishes, moves, books plan.Share
	moved                map[int]messages.ShardMoved // by shard
	figures              bool                        // how many shards are READY
	kept                 map[int]messages.Session    // by shard
	gone                 map[int]bool
	due                  bool       // shareDue is on its way
	peer                 plan.Quota // of what of it cannot be read

	grants map[messages.Snowflake]string // permits that the bot has not reported, by its own ids: the gate's
}

// shareEvery is how often what waits is passed on, at most.
const shareEvery = 250 * time.Millisecond

// shareDue is the time for that.
type shareDue struct{ ofRun }

// newShares returns the shares of a cluster of so many shards: a start takes each of them through
// five states, and a reconnect through four; a shard asks for a permit each 5 s at most, and has a
// new session as often.
func newShares(shards int) shares {
	n := float64(shards)
	return shares{
		wishes: plan.Share{Burst: 4*shards + 16, PerSecond: 1 + n/2},
		moves:  plan.Share{Burst: 16*shards + 64, PerSecond: 8 + 2*n},
		books:  plan.Share{Burst: 2*shards + 32, PerSecond: 2 + n/2},
		moved:  map[int]messages.ShardMoved{}, kept: map[int]messages.Session{}, gone: map[int]bool{}, peer: plan.Peer(), grants: map[messages.Snowflake]string{},
	}
}

// later has passOn called soon.
func (c *Cluster) later(ctx actor.Context) {
	if !c.due {
		c.due = true
		c.After(ctx, shareEvery, shareDue{c.thisRun()})
	}
}

// passOn passes on what waits, as far as the shares go.
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
		c.tell(ctx)
	}
	if len(c.kept)+len(c.gone) > 0 && c.books.Take(now) {
		c.passSessions(ctx)
	}
	held := false
	for _, id := range c.plan.Shards.Shards() {
		if s := c.shards[id]; s != nil && s.wish != nil && s.held {
			c.ask(ctx, s)
			held = held || s.held
		}
	}
	if held || len(c.moved)+len(c.kept)+len(c.gone) > 0 {
		c.later(ctx)
	}
}

// misread reports that a packet of the bot could not be read.
func (c *Cluster) misread(ctx actor.Context, err error) {
	if times, ok := c.peer.Pass(time.Now()); ok {
		ctx.Send(c.addresses.Events, messages.PacketDropped{From: "cluster " + c.plan.ID.String(), Err: err.Error(), Times: plan.Times(times)})
	}
}

// reportMove passes on that a shard is in another state, and reports whether that was now.
func (c *Cluster) reportMove(ctx actor.Context, e messages.ShardMoved) bool {
	if len(c.moved) > 0 || !c.moves.Take(time.Now()) {
		c.moved[e.Shard] = e
		c.later(ctx)
		return false
	}
	ctx.Send(c.addresses.Events, e)
	return true
}

// ask puts a shard's wish to the gate, again where it has it.
func (c *Cluster) ask(ctx actor.Context, s *shard) {
	if !c.wishes.Take(time.Now()) {
		s.held = true
		c.later(ctx)
		return
	}
	s.held, s.atGate = false, true
	cause := s.wish.Cause
	if cause == messages.CauseStart && c.reborn { // the bot cannot know
		cause = messages.CauseCrash
	}
	ctx.Request(c.addresses.Gate, messages.WantPermit{ID: s.wishID, Cluster: c.plan.ID, Shards: c.plan.Shards.Len(), Shard: s.wish.Shard, Cause: cause})
}

// permitSent passes on what became of a permit, or that a wish was taken back. A permit that this
// actor does not know may be one from before it panicked.
func (c *Cluster) permitSent(ctx actor.Context, p messages.PermitSent) {
	id, granted := c.grants[p.EventID]
	delete(c.grants, p.EventID)
	s := c.shards[p.Shard]
	switch {
	case granted:
	case s != nil && s.wish != nil && s.wish.EventID == p.EventID:
		if id = s.wishID; !s.atGate {
			id = ""
		}
	case c.wishes.Take(time.Now()):
		id = c.permitID(p.EventID)
	}
	c.answeredWish(ctx, p.Shard, p.EventID, time.Now())
	if id != "" {
		ctx.Send(c.addresses.Gate, messages.PermitUsed{ID: id, Sent: p.Sent})
	}
	if s != nil && p.Sent {
		s.sent = id
	}
}

// keep hands what the instance says of its sessions to the book. Only what it announced is
// believed.
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
		c.later(ctx)
	default:
		c.passSessions(ctx)
	}
}

// passSessions hands to the book what it has not heard.
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
