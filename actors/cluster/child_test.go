package cluster

import (
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

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
	if moved.Restarts != 3 {
		t.Errorf("the supervisor hears of %d", moved.Restarts)
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
