package cluster

import (
	"fmt"
	"io/fs"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// Each death of a child counts; of many within a second one is reported, without secrets.
func TestChildDied(t *testing.T) {
	c, _ := clusterIn(messages.ClusterServing)
	c.shards, c.process = map[int]*shard{}, &sleeper{}
	c.W.Secrets.Learn("a-long-secret")
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		for range 3 {
			c.packet(ctx, messages.ChildDied{Cause: "exit status 3", Tail: "with a-long-secret", RetryInMS: 7})
		}
	})
	if n := times[messages.BotDied](got); n != 1 || c.deaths != 3 {
		t.Errorf("%d deaths, %d reported", c.deaths, n)
	}
	var moved messages.ClusterMoved
	for _, m := range got {
		switch m := m.(type) {
		case messages.BotDied:
			if m.Err != "exit status 3" || m.Output != "with [redacted]" || m.RetryInMS != 7 || m.Shards != "0-1" {
				t.Errorf("reported as %+v", m)
			}
		case messages.ClusterMoved:
			moved = m
		}
	}
	if moved.Restarts != 3 || moved.PID != c.process.PID() {
		t.Errorf("the supervisor hears of %d restarts of %d", moved.Restarts, moved.PID)
	}
}

// A child that never connected makes nothing late, but for shards that have moved.
func TestChildSilent(t *testing.T) {
	c, _ := clusterIn(messages.ClusterConnecting)
	soon := time.Now().Add(time.Minute)
	c.process = &sleeper{}
	c.shards = map[int]*shard{0: {state: messages.ShardIdle, deadline: soon, down: soon}, 1: {state: messages.ShardResuming, deadline: soon}}
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.packet(ctx, messages.ChildSilent{Cause: "no connection"})
	})
	if n := times[messages.BotSilent](got); n != 1 {
		t.Errorf("reported %d times", n)
	}
	if s := c.shards[0]; !s.deadline.IsZero() || !s.down.IsZero() {
		t.Errorf("the idle one is due: %+v", s)
	}
	if c.shards[1].deadline.IsZero() {
		t.Error("the other is never due")
	}
}

// A bot's order for a rolling restart is an operator's to the supervisor, and names the bot.
func TestRollOfABot(t *testing.T) {
	c, _ := clusterIn(messages.ClusterServing)
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		c.addresses.Clusters = ctx.Parent()
		c.packet(ctx, messages.Roll{})
	})
	if times[messages.RollingRestart](got) != 1 || !slices.Contains(got, any(messages.OrderGiven{Order: messages.OrderRolling, By: fmt.Sprintf("the bot of cluster %s", c.plan.ID)})) {
		t.Errorf("got %+v", got)
	}
}

// A trouble of a child is an event with what to do; many within a short time are few events, which
// cover all of them. A kind that is unknown here is none.
func TestChildTrouble(t *testing.T) {
	c, _ := clusterIn(messages.ClusterServing)
	c.shards, c.process = map[int]*shard{}, &sleeper{}
	c.W.Secrets.Learn("a-long-secret")
	shard := 3
	got := inActor(t, func(ctx actor.Context) {
		c.addresses = allAt(ctx.Parent())
		for range 100 {
			c.packet(ctx, messages.ChildTrouble{Kind: messages.TroubleDropped, Shard: &shard, Events: 7, Err: "a-long-secret was too much"})
		}
		c.troubles[messages.TroubleDropped].Quota = plan.Peer() // much later
		c.packet(ctx, messages.ChildTrouble{Kind: messages.TroubleDropped, Shard: &shard, Events: 7})
		c.packet(ctx, messages.ChildTrouble{Kind: messages.TroubleUnkept, Over: true})
		c.packet(ctx, messages.ChildTrouble{Kind: "later"})
	})
	events, names := 0, map[string]int{}
	for _, m := range got {
		e, ok := m.(messages.GatewayTrouble)
		if !ok {
			continue
		}
		name, level := e.Event()
		names[name]++
		if e.Over != (level == messages.LevelInfo) || e.Over != (e.Cure == "") {
			t.Errorf("%s: %+v", name, e)
		}
		if e.Events > 0 && (*e.Shard != 3 || names[name] == 1 && e.Err != "[redacted] was too much") {
			t.Errorf("reported as %+v", e)
		}
		events += e.Events
	}
	if n := names["gateway.events_dropped"]; n > 25 || events != 7*101 || names["gateway.unkept"] != 1 || len(names) != 2 {
		t.Errorf("%d events dropped, reported as %v", events, names)
	}
}

// A process that never opened its socket may be a bot of another kind, unless something shows that
// it is not.
func TestNeverHeard(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Cluster)
		want   bool
	}{
		"no socket":                          {func(*Cluster) {}, true},
		"a socket of an earlier process":     {func(c *Cluster) { c.dialErr = syscall.ECONNREFUSED }, true},
		"a socket that may not be opened":    {func(c *Cluster) { c.dialErr = syscall.EACCES }, false},
		"no dial so far":                     {func(c *Cluster) { c.dialErr = nil }, false},
		"a bot that is expected to be stock": {func(c *Cluster) { c.options.Protocol = messages.ProtocolDiscordoo }, false},
		"a host that speaks for the bot":     {func(c *Cluster) { c.options.Runner = []string{"/bin/control"} }, false},
		"a process of an earlier run":        {func(c *Cluster) { c.adopted = true }, false},
		"another process here that spoke":    {func(c *Cluster) { c.spoken.Store(true) }, false},
	} {
		c, _ := clusterIn(messages.ClusterGreeting)
		c.options.Protocol = messages.ProtocolSDK
		c.dialErr = fmt.Errorf("dial: %w", fs.ErrNotExist)
		if tc.change(c); c.neverOpened() != tc.want {
			t.Errorf("%s: %v, want %v", name, c.neverOpened(), tc.want)
		}
	}
}
