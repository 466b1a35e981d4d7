package cluster

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file takes what a process reports of the bot that it runs as its child, as a gateway host
// does.

// child is the state of that bot.
type child struct {
	deaths     int
	reportedAt time.Time // of the last death that was reported
	troubles   map[messages.TroubleKind]*troubles
}

// troubles limits the reports of one kind of trouble. Events that were dropped add up.
type troubles struct {
	plan.Quota
	events int
}

// childEvery is the least time between two reported deaths of a child. All are counted.
const childEvery = time.Second

// tailMax and causeMax limit what is reported of a child, in bytes.
const (
	tailMax  = 4 << 10
	causeMax = 500
)

// childDied counts and reports the death of a child that the process starts again.
func (c *Cluster) childDied(ctx actor.Context, p messages.ChildDied) {
	if c.dying() || c.shards == nil {
		return
	}
	c.deaths++
	c.report(ctx)
	if now := time.Now(); now.Sub(c.reportedAt) >= childEvery {
		c.reportedAt = now
		ctx.Send(c.addresses.Events, messages.BotDied{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), Err: c.redacted(p.Cause, causeMax), Output: c.redacted(p.Tail, tailMax),
			RetryInMS: p.RetryInMS})
	}
}

// judgeEvery is the least time between two decisions on a shard: a host reports every 5 s, and no
// flood of reports becomes one of events.
const judgeEvery = time.Second

// backlog keeps what the host of a bot reports of a shard.
type backlog struct {
	waiting *int                  // events without acknowledgement; nil: unknown
	oldest  messages.Milliseconds // age of the first of them
	host    messages.HostMemory
	lag     plan.Lag
	deaf    bool
	judged  time.Time // when lag and deaf were decided last
}

// backlogReported takes what waits for a bot, and reports when its shard begins or ceases to lag or
// be deaf.
func (c *Cluster) backlogReported(ctx actor.Context, s *shard, p messages.ShardStatus) {
	if p.Waiting == nil {
		return
	}
	s.waiting, s.oldest, s.host = p.Waiting, p.WaitingMS, p.HostMemory
	now := time.Now()
	if now.Sub(s.judged) < judgeEvery {
		return
	}
	s.judged = now
	if s.lag.Step(p.WaitingMS.Duration()) {
		ctx.Send(c.addresses.Events, messages.ShardLagging{Cluster: c.plan.ID, Shard: p.Shard, On: s.lag.On(), Waiting: *p.Waiting, WaitingMS: p.WaitingMS})
	}
	if deaf := p.DeafMS > 0; deaf != s.deaf {
		s.deaf = deaf
		ctx.Send(c.addresses.Events, messages.ShardDeaf{Cluster: c.plan.ID, Shard: p.Shard, On: deaf, SilentMS: p.DeafMS})
	}
}

// cures holds advice to the operator on each kind of trouble.
var cures = map[messages.TroubleKind]string{
	messages.TroubleDropped: "the bot is too slow or hung, or cluster.gateway.memory too small: look at control logs and its CPU time",
	messages.TroubleSkipped: "the bot or its library cannot handle this event: look at control logs",
	messages.TroubleRefused: "look at control logs: a bot that runs twice, a library with other settings, or another program at this address",
	messages.TroubleMemory:  "set a larger cluster.gateway.memory, or a smaller cluster.shards_per_cluster",
	messages.TroubleUnkept:  "free the disk, or give access to state.dir; until then the end of the host costs identifies and events",
	messages.TroubleTorn:    "nothing; look at the disk if the machine did not lose power",
	messages.TroubleDoubt:   "see the reason; end the bot of the earlier host if it lives, until then no bot is started",
	messages.TroublePast:    pointing,
}

// pointing makes a bot use its gateway host.
const pointing = "if its library is neither discord.js nor discord.py, point it at the addresses in DISCORD_API and DISCORD_GATEWAY; a bot that must connect to Discord itself needs --cluster.protocol env"

// childTrouble reports a trouble of the bot, unless it is of a kind that is unknown here.
func (c *Cluster) childTrouble(ctx actor.Context, p messages.ChildTrouble) {
	if c.dying() || !p.Kind.Known() {
		return
	}
	e := messages.GatewayTrouble{Kind: p.Kind, Cluster: c.plan.ID, Shard: p.Shard, CloseCode: p.CloseCode, Err: c.redacted(p.Err, causeMax), Over: p.Over}
	if !p.Over {
		e.Cure = cures[p.Kind]
	}
	if c.troubles == nil {
		c.troubles = map[messages.TroubleKind]*troubles{}
	}
	of := c.troubles[p.Kind]
	if of == nil {
		of = &troubles{Quota: plan.Peer()}
		c.troubles[p.Kind] = of
	}
	of.events += p.Events
	if times, ok := of.Pass(time.Now()); ok {
		e.Times, e.Events, of.events = plan.Times(times), of.events, 0
		ctx.Send(c.addresses.Events, e)
	}
}

// redacted returns what a bot wrote, without secrets.
func (c *Cluster) redacted(text string, most int) string {
	return fmt.Sprintf("%.*s", most, c.W.Secrets.Text(text))
}

// childSilent leaves the shards of a process alone whose child never connected: nothing of them is
// late until they move.
func (c *Cluster) childSilent(ctx actor.Context, p messages.ChildSilent) {
	if c.dying() {
		return
	}
	for _, s := range c.shards {
		if s.state == messages.ShardIdle {
			s.deadline, s.down = time.Time{}, time.Time{}
		}
	}
	c.arm(ctx)
	c.reportSilent(ctx, c.redacted(p.Cause, causeMax), pointing)
}
