package cluster

import (
	"encoding/json"
	"errors"
	"fmt"
	"syscall"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// This file ends the bot behind a gateway host that is dead. Such a bot lives on, and the next host
// goes on with it. Where no host follows, or only one that runs another command, the bot is ended
// before the end of its cluster is reported.

// BotRecord returns the name of the file in the state folder in which a gateway host records its
// bot: {"mark": proc.Mark, …}. The record of a dead bot is harmless, and stays.
func BotRecord(id messages.ClusterID) string { return fmt.Sprintf("gateway/cluster-%d/bot.json", id) }

// behind is the end of a bot behind a dead host.
type behind struct {
	bot  proc.Process        // that is being ended; nil: it is searched for
	then func(actor.Context) // what follows
}

// botEnded is the exit of that bot.
type botEnded struct{ ofRun }

// leavesBot reports whether a bot may live behind the dead process: the process was a gateway host,
// or an earlier run of CONTROL had one here.
func (c *Cluster) leavesBot() bool {
	if c.handover.alone || c.successor {
		return false
	}
	if len(c.options.Runner) > 0 {
		return true
	}
	data, err := c.W.Load(BotRecord(c.plan.ID))
	return err == nil && data != nil
}

// endBot ends the bot that the dead process may have left. then follows once none is left.
func (c *Cluster) endBot(ctx actor.Context, then func(actor.Context)) {
	c.abandon()
	c.search, c.behind = search{}, behind{then: then}
	c.enter(ctx, messages.ClusterKilling, c.endingBot)
	c.seekBot(ctx)
}

// seekBot searches for the bot by its record, or without one by its environment.
func (c *Cluster) seekBot(ctx actor.Context) {
	c.abandon()
	c.bot = nil
	data, err := c.W.Load(BotRecord(c.plan.ID))
	if err != nil {
		c.doubtBot(ctx, fmt.Errorf("record of the bot behind the gateway host: %w", err))
		return
	}
	own := plan.BotMark(plan.OwnerMark(c.options.Owner, c.plan.ID))
	var r struct {
		Mark proc.Mark `json:"mark"`
	}
	if json.Unmarshal(data, &r) != nil || r.Mark.Env == "" { // none, or no record
		r.Mark = proc.Mark{Env: own}
	}
	r.Mark.Owner = own
	c.find(ctx, r.Mark)
}

// endingBot ends the bot with SIGTERM, then with SIGKILL, until a search finds nothing of it.
func (c *Cluster) endingBot(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case found:
		c.botAnswered(ctx, m)
	case botEnded:
		c.seekBot(ctx)
	case world.Timeout:
		if c.bot == nil {
			c.seekBot(ctx)
			return
		}
		c.bot.Signal(syscall.SIGKILL)
		c.In(ctx, c.options.KillGrace)
	case world.Recovered: // the panic may have lost the answer
		c.seekBot(ctx)
	case messages.StopRun: // it is under way
		if c.bot == nil {
			c.seekBot(ctx)
		}
	default:
		c.always(ctx)
	}
}

// botAnswered acts on the answer of the search for the bot.
func (c *Cluster) botAnswered(ctx actor.Context, m found) {
	if m.to != c.search.question {
		return
	}
	c.cancel = nil
	switch {
	case errors.Is(m.err, proc.ErrGone), errors.Is(m.err, errors.ErrUnsupported):
		c.handover.alone = true
		c.behind.then(ctx)
	case m.err != nil:
		c.doubtBot(ctx, m.err)
	default:
		c.bot = m.process
		send, run := world.Sender(ctx), c.thisRun()
		m.process.Wait(func(proc.Exit) { send(botEnded{run}) })
		m.process.Signal(syscall.SIGTERM)
		c.In(ctx, c.options.KillGrace)
	}
}

// doubtBot sets the timer of the next search, and reports once why the last one has no answer.
func (c *Cluster) doubtBot(ctx actor.Context, why error) {
	if c.search.tries == 0 {
		c.enter(ctx, messages.ClusterUnknown, c.endingBot)
		ctx.Send(c.addresses.Events, messages.ClusterInDoubt{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), Err: why.Error()})
	}
	c.In(ctx, plan.SearchAgain(c.search.tries, c.W.Rand()))
	c.search.tries++
}

// awaitNext waits for what the Supervisor decides about a failure: another host, for which a new
// actor replaces this one, or none, for which it resumes this one.
func (c *Cluster) awaitNext(ctx actor.Context) {
	c.Enter(string(messages.ClusterWaiting), c.noneFollows)
	c.In(ctx, 0) // this actor is suspended until then
}

// noneFollows ends the bot, as no host follows.
func (c *Cluster) noneFollows(ctx actor.Context) {
	switch ctx.Message().(type) {
	case world.Timeout, world.Recovered, messages.StopRun:
		c.endBot(ctx, func(ctx actor.Context) { c.escalate(ctx, c.why) })
	default:
		c.always(ctx)
	}
}
