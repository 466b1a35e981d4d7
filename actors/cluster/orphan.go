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

// This file ends an orphan: the bot of a dead gateway host. The next host usually takes it back.
// Where no host follows, or one that runs another command, the bot is ended before the end of its
// cluster is reported.

// BotRecord returns the name of the file in the state folder in which a gateway host records its
// bot: {"mark": proc.Mark, …}. The record of a dead bot is harmless, and stays.
func BotRecord(id messages.ClusterID) string { return fmt.Sprintf("gateway/cluster-%d/bot.json", id) }

// orphan is the bot that a dead gateway host left, which is being ended.
type orphan struct {
	bot  proc.Process        // that is being ended; nil: it is searched for
	then func(actor.Context) // what follows
}

// orphanEnded is the exit of that bot.
type orphanEnded struct{ ofRun }

// leavesOrphan reports whether the dead process may have left a bot: it was a gateway host, or an
// earlier run of CONTROL had one here.
func (c *Cluster) leavesOrphan() bool {
	if c.handover.orphanless || c.successor {
		return false
	}
	if len(c.options.Runner) > 0 {
		return true
	}
	data, err := c.W.Load(BotRecord(c.plan.ID))
	return err == nil && data != nil
}

// endOrphan ends the bot that the dead process may have left. then follows once none is left.
func (c *Cluster) endOrphan(ctx actor.Context, then func(actor.Context)) {
	c.abandon()
	c.search, c.orphan = search{}, orphan{then: then}
	c.enter(ctx, messages.ClusterKilling, c.endingOrphan)
	c.findOrphan(ctx)
}

// findOrphan searches for the bot by its record, or without one by its environment.
func (c *Cluster) findOrphan(ctx actor.Context) {
	c.abandon()
	c.bot = nil
	data, err := c.W.Load(BotRecord(c.plan.ID))
	if err != nil {
		c.retryOrphan(ctx, fmt.Errorf("record of the bot behind the gateway host: %w", err))
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

// endingOrphan ends the bot with SIGTERM, then with SIGKILL, until a search finds nothing of it.
func (c *Cluster) endingOrphan(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case found:
		c.orphanFound(ctx, m)
	case orphanEnded:
		c.findOrphan(ctx)
	case world.Timeout:
		if c.bot == nil {
			c.findOrphan(ctx)
			return
		}
		c.bot.Signal(syscall.SIGKILL)
		c.In(ctx, c.options.KillGrace)
	case world.Recovered: // the panic may have lost the answer
		c.findOrphan(ctx)
	case messages.StopRun: // it is under way
		if c.bot == nil {
			c.findOrphan(ctx)
		}
	default:
		c.always(ctx)
	}
}

// orphanFound acts on the answer of the search for the bot.
func (c *Cluster) orphanFound(ctx actor.Context, m found) {
	if m.to != c.search.query {
		return
	}
	c.cancel = nil
	switch {
	case errors.Is(m.err, proc.ErrGone), errors.Is(m.err, errors.ErrUnsupported):
		c.handover.orphanless = true
		c.orphan.then(ctx)
	case m.err != nil:
		c.retryOrphan(ctx, m.err)
	default:
		c.bot = m.process
		send, run := world.Sender(ctx), c.thisRun()
		m.process.Wait(func(proc.Exit) { send(orphanEnded{run}) })
		m.process.Signal(syscall.SIGTERM)
		c.In(ctx, c.options.KillGrace)
	}
}

// retryOrphan sets the timer of the next search, and reports once why the last one has no answer.
func (c *Cluster) retryOrphan(ctx actor.Context, why error) {
	if c.search.tries == 0 {
		c.enter(ctx, messages.ClusterUnknown, c.endingOrphan)
		ctx.Send(c.addresses.Events, messages.ClusterInDoubt{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), Err: why.Error()})
	}
	c.In(ctx, plan.SearchAgain(c.search.tries, c.W.Rand()))
	c.search.tries++
}

// awaitNext waits for what the Supervisor decides about a failure: another host, for which a new
// actor replaces this one, or none, for which it resumes this one.
func (c *Cluster) awaitNext(ctx actor.Context) {
	c.Enter(string(messages.ClusterWaiting), c.noHostFollows)
	c.In(ctx, 0) // this actor is suspended until then
}

// noHostFollows ends the bot, as no host follows.
func (c *Cluster) noHostFollows(ctx actor.Context) {
	switch ctx.Message().(type) {
	case world.Timeout, world.Recovered, messages.StopRun:
		c.endOrphan(ctx, func(ctx actor.Context) { c.escalate(ctx, c.why) })
	default:
		c.always(ctx)
	}
}
