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

// This file is a Cluster whose bot knows nothing of us: it finds its shards in its environment, is ready by a rule, and alive while its process is and, where there is a
// probe, while that is answered.

// ReadyRule is when such a bot is ready: one of the three is set.
type ReadyRule struct {
	After time.Duration  // so long after its start, and no sooner than its identifies may take: it is assumed then, for nothing says it
	URL   string         // once it answers with 2xx; the cluster's id in it as ClusterID.In has it
	Log   *regexp.Regexp // once a line of its output matches
}

// askEvery is the pause between two questions to a URL of the bot's.
const askEvery = time.Second

// What such a Cluster tells itself.
type (
	ruleSaid struct { // err: why it is not ready
		ofRun
		err error
	}
	askRule    struct{ ofRun }
	woke       struct{ ofRun } // its first output came
	probeEnded struct {
		ofRun
		err error
	}
)

// runs is the start of a process that nobody speaks to.
func (c *Cluster) runs(ctx actor.Context) {
	c.shards = map[int]*shard{}
	for _, id := range c.plan.Shards.Shards() {
		c.shards[id] = &shard{state: messages.ShardConnecting}
	}
	if c.changed {
		c.holdsAll() // until it is dead
		c.replace(ctx)
		return
	}
	c.enter(ctx, messages.ClusterConnecting, c.connecting)
	if c.served { // it was ready before it was taken back
		c.connected(ctx)
		return
	}
	if c.adopted {
		c.holdAnew(ctx)
	} else {
		c.askHolds(ctx) // for as long as it may take from now
	}
	c.timed(ctx, plan.EnvStart(c.plan.Shards)+c.options.Ready.After)
	if c.assumes() {
		c.listen(ctx)
		c.assume(ctx)
		return
	}
	c.askRule(ctx)
}

// assumes reports whether nothing ever says that the bot is ready.
func (c *Cluster) assumes() bool {
	return c.options.Protocol == messages.ProtocolEnv && c.options.Ready.After > 0
}

// lastIdentify is the moment by which the bot has sent its last identify.
func (c *Cluster) lastIdentify() time.Time {
	return plan.Identified(c.options.Protocol, c.plan.Shards, c.started, c.woke)
}

// assume waits until the bot can be assumed ready.
func (c *Cluster) assume(ctx actor.Context) {
	at := c.started.Add(c.options.Ready.After)
	if last := c.lastIdentify(); last.After(at) {
		at = last
	}
	c.After(ctx, time.Until(at), ruleSaid{ofRun: c.thisRun()})
}

// anything is a line of output.
var anything = regexp.MustCompile(`.`)

// listen waits for the bot's first output. One that was taken back may have written it long ago:
// then it counts as written now, which keeps its buckets for longer.
func (c *Cluster) listen(ctx actor.Context) {
	if c.output() == "" {
		return
	}
	send, run := world.Sender(ctx), c.thisRun()
	c.cancel = c.W.Grep(c.output(), anything, func(err error) {
		if err == nil {
			send(woke{run})
		}
	})
}

// heard takes the bot's first output.
func (c *Cluster) heard(ctx actor.Context) {
	if c.State() != string(messages.ClusterConnecting) {
		return
	}
	c.cancel = nil
	before := c.lastIdentify()
	if c.woke = time.Now(); c.lastIdentify().After(before) {
		c.timed(ctx, time.Until(c.lastIdentify())+plan.EnvStart(c.plan.Shards))
		c.askHolds(ctx)
	}
}

// askRule looks whether the bot is ready.
func (c *Cluster) askRule(ctx actor.Context) {
	send, run := world.Sender(ctx), c.thisRun()
	if c.options.Ready.Log != nil {
		c.cancel = c.W.Grep(c.output(), c.options.Ready.Log, func(err error) { send(ruleSaid{run, err}) })
		return
	}
	c.cancel = c.fetch(c.options.Ready.URL, func(err error) { send(ruleSaid{run, err}) })
}

// ruled takes the rule's answer.
func (c *Cluster) ruled(ctx actor.Context, m ruleSaid) {
	if c.State() != string(messages.ClusterConnecting) {
		return
	}
	switch soonest := c.started.Add(plan.EnvSoonest(c.plan.Shards, c.settings.MaxConcurrency)); {
	case c.assumes() && time.Now().Before(c.lastIdentify()): // it woke late
		c.assume(ctx)
		return
	case !c.assumes() && m.err == nil && time.Now().Before(soonest): // no bot is that quick: what it said was not of its shards
		c.cancel = nil
		c.After(ctx, time.Until(c.lastIdentify()), m)
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

// fetch asks a URL of the bot's; an error is everything but 2xx.
func (c *Cluster) fetch(url string, done func(error)) (cancel func()) {
	r := world.Request{Method: "GET", URL: c.plan.ID.In(url), Timeout: c.options.Heartbeat}
	return c.W.Fetch(r, func(r world.Response, err error) {
		if err == nil && r.Status/100 != 2 {
			err = fmt.Errorf("status %d, want 2xx", r.Status)
		}
		done(err)
	})
}
