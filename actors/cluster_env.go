package actors

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
	After time.Duration  // so long after its start, and no sooner than its identifies take
	URL   string         // once it answers with 2xx; the cluster's id in it as ClusterID.In has it
	Log   *regexp.Regexp // once a line of its output matches
}

// askEvery is the pause between two questions to a URL of the bot's.
const askEvery = time.Second

// What such a Cluster tells itself.
type (
	ruleSaid struct { // err: why it is not ready
		life messages.Snowflake
		err  error
	}
	askRule    struct{ life messages.Snowflake }
	probeEnded struct {
		life messages.Snowflake
		err  error
	}
)

// These may come after their cluster has stopped; that is no news.
func (ruleSaid) IgnoreDeadLetterLogging()   {}
func (askRule) IgnoreDeadLetterLogging()    {}
func (probeEnded) IgnoreDeadLetterLogging() {}

// runs is the start of a process that nobody speaks to.
func (c *Cluster) runs(ctx actor.Context) {
	c.shards = map[int]*shard{}
	for _, id := range c.plan.Shards.Shards() {
		c.shards[id] = &shard{state: messages.ShardConnecting}
	}
	if c.changed {
		c.replace(ctx)
		return
	}
	c.enter(ctx, messages.ClusterConnecting, c.connecting)
	if c.adopted && c.served {
		c.connected(ctx)
		return
	}
	if c.adopted {
		c.holdAnew(ctx)
	}
	c.timed(ctx, plan.EnvStart(c.plan.Shards, c.settings.MaxConcurrency)+c.options.Ready.After)
	if c.options.Ready.After > 0 {
		wait := max(c.options.Ready.After, plan.Waves(c.plan.Shards, c.settings.MaxConcurrency))
		c.After(ctx, wait-time.Since(c.started), ruleSaid{life: c.life.Instance})
		return
	}
	c.askRule(ctx)
}

// askRule looks whether the bot is ready.
func (c *Cluster) askRule(ctx actor.Context) {
	send, life := world.Sender(ctx), c.life.Instance
	if c.options.Ready.Log != nil {
		c.cancel = c.W.Grep(c.output(), c.options.Ready.Log, func(err error) { send(ruleSaid{life, err}) })
		return
	}
	c.cancel = c.fetch(c.options.Ready.URL, func(err error) { send(ruleSaid{life, err}) })
}

// ruled takes the rule's answer.
func (c *Cluster) ruled(ctx actor.Context, m ruleSaid) {
	if m.life != c.life.Instance || c.State() != string(messages.ClusterConnecting) {
		return
	}
	c.cancel = nil
	if c.silence = m.err; m.err != nil {
		c.After(ctx, askEvery, askRule{m.life})
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
