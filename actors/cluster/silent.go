package cluster

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
	codec "github.com/discluster/control/transport/ipc"
)

// This file leaves a process alone that speaks nothing: it may be a bot of another kind, which
// serves.

// neverOpened reports whether the process lives, is expected to use the SDK, and neither it nor any
// process before it has opened its socket: it may be another kind of bot, which serves.
func (c *Cluster) neverOpened() bool {
	return c.options.asksItself() && len(c.options.Runner) == 0 && codec.Unopened(c.dialErr) && !c.adopted && !c.spoken.Load()
}

// leaveSilent leaves such a process running, since a restart would identify all its shards again.
// If it opens its socket after all, it starts as any.
func (c *Cluster) leaveSilent(ctx actor.Context) {
	if c.leftSilent {
		return
	}
	c.leftSilent = true
	c.reportSilent(ctx, c.helloError(),
		"start it with --cluster.protocol gateway, which runs any bot; until then its identifies are not paced. A bot with CONTROL's SDK calls bot.Join within cluster.hello_timeout")
}

// reportSilent reports a bot that does not speak what was expected.
func (c *Cluster) reportSilent(ctx actor.Context, err, cure string) {
	ctx.Send(c.addresses.Events, messages.BotSilent{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), PID: c.process.PID(), Err: err, Cure: cure})
}
