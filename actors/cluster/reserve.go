package cluster

import (
	"fmt"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file paces a bot that cannot ask for permits. The gate holds the buckets of all its shards,
// one after the other, before the process is started, and until every shard is READY or the process
// is dead.

// reservation lists the buckets that the gate holds for a cluster.
type reservation struct {
	bookings    []plan.Booking
	held        int       // number of bookings held, in their order
	asks        bool      // asks for the next one too; false: it has all it needs
	firstOutput time.Time // time of the process's first output; zero: none
}

// holdOn is the timer to ask for the buckets again.
type holdOn struct{ ofRun }

// asksItself reports whether the bot asks for permits.
func (o Options) asksItself() bool { return o.Protocol == messages.ProtocolSDK }

// reserve asks for the first bucket.
func (c *Cluster) reserve(ctx actor.Context) {
	c.reservation = reservation{bookings: plan.Bookings(c.plan.Shards, c.settings.MaxConcurrency), asks: true}
	c.enter(ctx, messages.ClusterReserving, c.reserving)
	c.askHolds(ctx)
}

// reserving is the state of waiting for the buckets.
func (c *Cluster) reserving(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.Permit:
		switch {
		case !c.booked(ctx, m): // expired, or of an earlier run
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

// askHolds prolongs the buckets that are held and asks for the next one, and repeats that every
// plan.HoldAgain.
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
	if c.restarted {
		cause = messages.CauseCrash
	}
	b, last := c.bookings[i], c.lastIdentify()
	if c.asks { // the process is not started
		last = plan.Identified(c.options.Protocol, c.plan.Shards, time.Now(), time.Time{})
	}
	ctx.Request(c.addresses.Gate, messages.WantPermit{ID: c.bookingID(i), Cluster: c.plan.ID, Shards: c.plan.Shards.Len(), Shard: b.Shard, Cause: cause, Hold: plan.Holding(last, time.Now()),
		Identifies: b.Identifies, Kept: i < c.held})
}

// bookingID returns the gate's id of a booking of this run.
func (c *Cluster) bookingID(i int) string {
	return c.permitID(messages.Snowflake(fmt.Sprintf("bucket-%d", i)))
}

// booked takes the permit of a booking, and reports whether it is one of this run.
func (c *Cluster) booked(ctx actor.Context, p messages.Permit) bool {
	for i := range c.bookings {
		switch {
		case p.ID != c.bookingID(i):
		case i < c.held: // prolonged
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

// holdAgain holds the buckets of an adopted process during its start.
func (c *Cluster) holdAgain(ctx actor.Context) {
	c.markAllHeld()
	c.askHolds(ctx)
}

// markAllHeld treats every bucket as held.
func (c *Cluster) markAllHeld() {
	c.reservation = reservation{bookings: plan.Bookings(c.plan.Shards, c.settings.MaxConcurrency)}
	c.held = len(c.bookings)
}

// releaseHolds releases the buckets. identified: the bot may have used them. A bot that died while
// CONTROL was away may have too.
func (c *Cluster) releaseHolds(ctx actor.Context, identified bool) {
	if c.State() == string(messages.ClusterAdopting) && !c.options.asksItself() {
		c.markAllHeld()
		identified = true
	}
	for i := range c.held {
		ctx.Send(c.addresses.Gate, messages.PermitUsed{ID: c.bookingID(i), Sent: identified, Identifies: c.bookings[i].Identifies})
	}
	c.reservation = reservation{}
}

// setStartDeadline sets the deadline for the start of a bot that reports no shards.
func (c *Cluster) setStartDeadline(ctx actor.Context, d time.Duration) {
	c.startBy = time.Now().Add(d)
	c.arm(ctx)
}

// overdue kills a bot past that deadline, and reports whether it did. An adopted bot with a link
// counts as connected instead: it may have sent CONNECTED while CONTROL was away.
func (c *Cluster) overdue(ctx actor.Context, now time.Time) (killed bool) {
	if c.startBy.IsZero() || now.Before(c.startBy) || c.outage {
		return false
	}
	if c.adopted && c.link != nil {
		c.connected(ctx)
		return false
	}
	why := "CONNECTED did not come in time"
	switch line := c.options.Ready.Log; {
	case c.options.Protocol != messages.ProtocolEnv:
	case line != nil:
		why = fmt.Sprintf("cluster.ready was not true in time: no line of the output matches %q; does the bot write it at once, or keep it in a buffer?", line)
	default:
		why = fmt.Sprintf("cluster.ready was not true in time: %v", c.silence)
	}
	c.killLate(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseStartTimeout, Err: why, WaitedFor: c.waitsFor()})
	return true
}
