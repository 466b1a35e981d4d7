package cluster

import (
	"fmt"
	"regexp"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file runs a bot that does not speak IPC. It reads its shards from its environment, is ready
// by a rule, and is alive while its process runs and, if there is a probe, while it answers the
// probe.

// askEvery is the pause between two requests to a URL of the bot.
const askEvery = time.Second

// Messages of such a Cluster to itself.
type (
	ruleAnswered struct { // err: why the bot is not ready
		ofRun
		err error
	}
	askRule     struct{ ofRun }
	outputBegan struct{ ofRun } // the bot's first output
	probeEnded  struct {
		ofRun
		err error
	}
)

// beginWithoutIPC begins the start of a process without IPC.
func (c *Cluster) beginWithoutIPC(ctx actor.Context) {
	c.shards = map[int]*shard{}
	for _, id := range c.plan.Shards.Shards() {
		c.shards[id] = &shard{state: messages.ShardConnecting}
	}
	if c.changed {
		c.markAllHeld() // until the process is dead
		c.replace(ctx)
		return
	}
	c.enter(ctx, messages.ClusterConnecting, c.connecting)
	if c.served { // it was ready before it was taken back
		c.connected(ctx)
		return
	}
	if c.adopted {
		c.holdAgain(ctx)
	} else {
		c.askHolds(ctx) // for the longest start from now
	}
	c.setStartDeadline(ctx, plan.EnvStart(c.plan.Shards)+c.options.Ready.After)
	if c.assumes() {
		c.listen(ctx)
		c.assume(ctx)
		return
	}
	c.askRule(ctx)
}

// assumes reports whether the bot's readiness is assumed.
func (c *Cluster) assumes() bool {
	return c.options.Protocol == messages.ProtocolEnv && c.options.Ready.After > 0
}

// lastIdentify returns the time by which the bot has sent its last identify.
func (c *Cluster) lastIdentify() time.Time {
	return plan.Identified(c.options.Protocol, c.plan.Shards, c.started, c.firstOutput)
}

// assume waits until the bot can be assumed ready.
func (c *Cluster) assume(ctx actor.Context) {
	at := c.started.Add(c.options.Ready.After)
	if last := c.lastIdentify(); last.After(at) {
		at = last
	}
	c.After(ctx, time.Until(at), ruleAnswered{ofRun: c.thisRun()})
}

// anything matches every line of output.
var anything = regexp.MustCompile(`.`)

// listen waits for the bot's first output. The output of an adopted bot counts as written now,
// which holds its buckets for longer.
func (c *Cluster) listen(ctx actor.Context) {
	if c.output() == "" {
		return
	}
	send, run := world.Sender(ctx), c.thisRun()
	c.cancel = c.W.Grep(c.output(), anything, func(err error) {
		if err == nil {
			send(outputBegan{run})
		}
	})
}

// outputStarted handles the bot's first output.
func (c *Cluster) outputStarted(ctx actor.Context) {
	if c.State() != string(messages.ClusterConnecting) {
		return
	}
	c.cancel = nil
	before := c.lastIdentify()
	if c.firstOutput = time.Now(); c.lastIdentify().After(before) {
		c.setStartDeadline(ctx, time.Until(c.lastIdentify())+plan.EnvStart(c.plan.Shards))
		c.askHolds(ctx)
	}
}

// askRule checks whether the bot is ready. The answer is ruleAnswered.
func (c *Cluster) askRule(ctx actor.Context) {
	send, run := world.Sender(ctx), c.thisRun()
	if c.options.Ready.Log != nil {
		c.cancel = c.W.Grep(c.output(), c.options.Ready.Log, func(err error) { send(ruleAnswered{run, err}) })
		return
	}
	c.cancel = c.fetch(c.options.Ready.URL, func(err error) { send(ruleAnswered{run, err}) })
}

// ruled handles the rule's answer.
func (c *Cluster) ruled(ctx actor.Context, m ruleAnswered) {
	if c.State() != string(messages.ClusterConnecting) {
		return
	}
	switch soonest := c.started.Add(plan.EnvSoonest(c.plan.Shards, c.settings.MaxConcurrency)); {
	case c.assumes() && time.Now().Before(c.lastIdentify()): // its first output came late
		c.assume(ctx)
		return
	case !c.assumes() && m.err == nil && time.Now().Before(soonest): // too soon for any bot: the answer was not about its shards
		c.cancel = nil
		c.early = true
		c.After(ctx, time.Until(c.lastIdentify()), m)
		c.report(ctx)
		return
	}
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
	if c.silence = m.err; m.err != nil {
		c.After(ctx, askEvery, askRule{m.ofRun})
		return
	}
	c.connected(ctx)
}

// ruleWaits returns what the bot's readiness waits for; empty where no rule decides on it, or it is
// ready.
func (c *Cluster) ruleWaits() string {
	rule := c.options.Ready
	switch {
	case c.options.Protocol != messages.ProtocolEnv || c.State() != string(messages.ClusterConnecting):
		return ""
	case rule.After > 0:
		return fmt.Sprintf("cluster.ready: after %v", rule.After)
	case c.early:
		return "cluster.ready, which was true too soon to be about its shards, until " + c.lastIdentify().UTC().Format("15:04:05 UTC")
	case rule.Log != nil:
		return fmt.Sprintf("cluster.ready: a line of its output that matches %q", rule.Log)
	default:
		return "cluster.ready: an answer of " + c.plan.ID.In(rule.URL)
	}
}

// fetch requests a URL of the bot. Every answer but 2xx is an error.
func (c *Cluster) fetch(url string, done func(error)) (cancel func()) {
	r := world.Request{Method: "GET", URL: c.plan.ID.In(url), Timeout: c.options.Heartbeat}
	return c.W.Fetch(r, func(r world.Response, err error) {
		if err == nil && r.Status/100 != 2 {
			err = fmt.Errorf("status %d, want 2xx", r.Status)
		}
		done(err)
	})
}
