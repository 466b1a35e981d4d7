package cluster

import (
	"fmt"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is how a Cluster whose bot cannot ask for permits identifies nevertheless in its turn: the buckets of all its shards are kept for it, one after the other, before
// its process is started, and until every shard is READY or the process is dead.

// reservation is what is kept for a cluster at the gate.
type reservation struct {
	bookings []plan.Booking
	held     int       // of the bookings, in their order
	asks     bool      // for the next one, too; false: it runs, and what it has is all it needs
	woke     time.Time // when the process gave its first sign of life; zero: there was none
}

// holdOn is the time to ask for the buckets again.
type holdOn struct{ ofRun }

// asksItself reports whether the bot is one that asks for permits.
func (o Options) asksItself() bool { return o.Protocol == messages.ProtocolSDK }

// reserve asks for the first bucket.
func (c *Cluster) reserve(ctx actor.Context) {
	c.reservation = reservation{bookings: plan.Bookings(c.plan.Shards, c.settings.MaxConcurrency), asks: true}
	c.enter(ctx, messages.ClusterReserving, c.reserving)
	c.askHolds(ctx)
}

// reserving waits for one bucket after the other.
func (c *Cluster) reserving(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.Permit:
		switch {
		case !c.booked(ctx, m): // overdue, or of a life before this one
			ctx.Send(c.addresses.Gate, messages.PermitUsed{ID: m.ID, Sent: false})
		case c.held == len(c.bookings):
			c.asks = false
			c.begin(ctx)
		}
	case messages.StopRun:
		c.stopped(ctx)
	default:
		c.always(ctx)
	}
}

// askHolds asks for the buckets that are held, so that they stay so, and for the next one; and does so again in a while.
func (c *Cluster) askHolds(ctx actor.Context) {
	for i := range c.held {
		c.askHold(ctx, i)
	}
	if c.asks && c.held < len(c.bookings) {
		c.askHold(ctx, c.held)
	}
	if c.held > 0 || c.asks {
		c.After(ctx, plan.HoldAgain, holdOn{c.thisRun()})
	}
}

func (c *Cluster) askHold(ctx actor.Context, i int) {
	cause := messages.CauseStart
	if c.reborn {
		cause = messages.CauseCrash
	}
	b, last := c.bookings[i], c.lastIdentify()
	if c.asks { // it has not been started
		last = plan.Identified(c.options.Protocol, c.plan.Shards, time.Now(), time.Time{})
	}
	ctx.Request(c.addresses.Gate, messages.WantPermit{ID: c.bookingID(i), Cluster: c.plan.ID, Shards: c.plan.Shards.Len(), Shard: b.Shard, Cause: cause, Hold: plan.Holding(last, time.Now()),
		Identifies: b.Identifies, Kept: i < c.held})
}

// bookingID is the gate's name for a booking of this life.
func (c *Cluster) bookingID(i int) string {
	return c.permitID(messages.Snowflake(fmt.Sprintf("bucket-%d", i)))
}

// booked takes a permit that is a booking's, and reports whether it is one of this life.
func (c *Cluster) booked(ctx actor.Context, p messages.Permit) bool {
	for i := range c.bookings {
		switch {
		case p.ID != c.bookingID(i):
		case i < c.held: // kept on
			return true
		case i == c.held && p.Granted && time.Now().Before(p.UseBefore):
			c.held++
			if c.asks && c.held < len(c.bookings) {
				c.askHold(ctx, c.held)
			}
			return true
		}
	}
	return false
}

// holdAnew keeps the buckets of a process that was taken back while it starts.
func (c *Cluster) holdAnew(ctx actor.Context) {
	c.holdsAll()
	c.askHolds(ctx)
}

// holdsAll takes every bucket for held.
func (c *Cluster) holdsAll() {
	c.reservation = reservation{bookings: plan.Bookings(c.plan.Shards, c.settings.MaxConcurrency)}
	c.held = len(c.bookings)
}

// letGo gives the buckets back. identified: the bot may have used them, as one may that died while
// CONTROL was away.
func (c *Cluster) letGo(ctx actor.Context, identified bool) {
	if c.State() == string(messages.ClusterAdopting) && !c.options.asksItself() {
		c.holdsAll()
		identified = true
	}
	for i := range c.held {
		ctx.Send(c.addresses.Gate, messages.PermitUsed{ID: c.bookingID(i), Sent: identified, Identifies: c.bookings[i].Identifies})
	}
	c.reservation = reservation{}
}

// timed gives the start of a bot that reports no shards its time.
func (c *Cluster) timed(ctx actor.Context, d time.Duration) {
	c.startBy = time.Now().Add(d)
	c.arm(ctx)
}

// overdue is the end of that time. One that was taken back may have said that it is connected while nobody listened.
func (c *Cluster) overdue(ctx actor.Context, now time.Time) (killed bool) {
	if c.startBy.IsZero() || now.Before(c.startBy) || c.outage {
		return false
	}
	if c.adopted && c.link != nil {
		c.connected(ctx)
		return false
	}
	why := "CONNECTED did not come in time"
	if c.options.Protocol == messages.ProtocolEnv {
		why = fmt.Sprintf("cluster.ready was not true in time: %v", c.silence)
	}
	c.killLate(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseStartTimeout, Err: why, WaitedFor: c.waitsFor()})
	return true
}
