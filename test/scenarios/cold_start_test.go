package scenarios

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/rules"
)

// The reference cold start: the shards of the smallest bots, one bucket, a network near Discord.
const (
	coldSeeds  = 10_000
	coldShards = 20
	coldJitter = 80 * time.Millisecond // one way, from zero on
	coldMargin = 100 * time.Millisecond
)

// coldStart simulates shards that identify by a Pacer at a Discord that tolerates nothing, over a
// network with jitter, in time of its own: a whole story takes a fraction of a millisecond.
type coldStart struct {
	rand    *rand.Rand
	discord *rules.Discord
	pacer   *plan.Pacer
	now     time.Time
	events  []coldEvent
	next    int // number of the last request and of the last connection
	jitter  time.Duration
	thinks  time.Duration // Discord, at most, before it answers
	faults  bool          // answers and reports are lost, permits dropped or used at their end
	ready   map[int]bool
	refused int
}

// coldEvent is something that will happen.
type coldEvent struct {
	at time.Time
	do func()
}

var coldNoon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func newColdStart(seed uint64) *coldStart {
	return &coldStart{rand: rand.New(rand.NewPCG(seed, 2)), now: coldNoon, jitter: coldJitter, thinks: 20 * time.Millisecond, ready: map[int]bool{},
		discord: rules.New(rules.Config{Token: "x", ShardCount: coldShards, IdentifyTotal: 1000, HeartbeatInterval: time.Hour}, coldNoon),
		pacer:   plan.NewPacer(1, 2*time.Second, coldMargin)}
}

// upTo returns a random time up to most.
func (c *coldStart) upTo(most time.Duration) time.Duration {
	return time.Duration(c.rand.Int64N(int64(most) + 1))
}

func (c *coldStart) chance(percent int) bool { return c.faults && c.rand.IntN(100) < percent }

func (c *coldStart) after(d time.Duration, do func()) {
	c.events = append(c.events, coldEvent{c.now.Add(d), do})
}

// run starts the shards, and returns how long it took until each was READY.
func (c *coldStart) run() time.Duration {
	for shard := range coldShards {
		c.ask(shard, messages.CauseStart)
	}
	for len(c.ready) < coldShards {
		grants, wake := c.pacer.Next(c.now)
		for _, g := range grants {
			c.after(0, func() { c.use(g) })
		}
		first := -1
		for i, e := range c.events {
			if (wake.IsZero() || e.at.Before(wake)) && (first < 0 || e.at.Before(c.events[first].at)) {
				first = i
			}
		}
		if first < 0 {
			if wake.IsZero() {
				panic("nothing will ever happen again")
			}
			c.now = wake
			continue
		}
		e := c.events[first]
		c.events[first] = c.events[len(c.events)-1]
		c.events = c.events[:len(c.events)-1]
		c.now = e.at
		e.do()
	}
	return c.now.Sub(coldNoon)
}

func (c *coldStart) ask(shard int, cause messages.IdentifyCause) {
	c.next++
	c.pacer.Ask(plan.Want{ID: fmt.Sprint(c.next), Owner: "0", Shard: shard, Cause: cause, Since: c.now})
}

// use simulates a bot with a permit.
func (c *coldStart) use(g plan.Grant) {
	switch {
	case c.chance(5):
		c.after(c.upTo(g.UseWithin), func() { c.pacer.Report(g.ID, false, c.now, time.Time{}) })
		c.ask(g.Shard, g.Cause)
		return
	case c.chance(10): // at any moment of the permit
		c.after(c.upTo(g.UseWithin), func() { c.identify(g) })
		return
	}
	c.identify(g)
}

// identify sends one, and reports that.
func (c *coldStart) identify(g plan.Grant) {
	c.next++
	conn := rules.Conn(c.next)
	if !c.chance(5) {
		c.after(c.upTo(time.Millisecond), func() { c.pacer.Report(g.ID, true, c.now, time.Time{}) })
	}
	c.after(c.upTo(c.jitter), func() {
		c.discord.Step(c.now, rules.Opened{Conn: conn})
		for _, out := range c.discord.Step(c.now, rules.Identify{Conn: conn, Token: "x", Shard: g.Shard, ShardCount: coldShards}) {
			back := c.upTo(c.thinks) + c.upTo(c.jitter)
			switch out.(type) {
			case rules.Ready:
				c.after(back, func() { c.answered(g) })
			case rules.InvalidSession:
				c.refused++
				c.after(back+time.Second, func() { c.ask(g.Shard, messages.CauseReidentify) })
			}
		}
	})
}

// answered handles READY. Its connection may break on the way.
func (c *coldStart) answered(g plan.Grant) {
	if c.chance(5) {
		c.ask(g.Shard, messages.CauseReidentify)
		return
	}
	c.ready[g.Shard] = true
	if !c.chance(5) {
		c.after(c.upTo(time.Millisecond), func() { c.pacer.Arrived(g.ID, c.now, time.Time{}) })
	}
}

// Whatever the jitter up to the margin: no identify is refused, though each follows the answer to
// the one before by 5 s and a millisecond.
func TestColdStartKeepsTheLimit(t *testing.T) {
	var sum time.Duration
	for seed := range uint64(coldSeeds) {
		c := newColdStart(seed)
		c.faults = seed%2 == 1
		took := c.run()
		if n := c.discord.Counts().Violations; n > 0 || c.refused > 0 {
			t.Fatalf("seed %d: %d violations", seed, n)
		}
		if !c.faults {
			sum += took
		}
	}
	t.Logf("READY after %v on average where nothing is lost", sum/(coldSeeds/2))
}

// Near Discord a cold start takes little more than Discord's 5 s a shard.
func TestColdStartIsNearTheFloor(t *testing.T) {
	const floor = (coldShards - 1) * plan.IdentifyEvery
	for _, way := range []struct {
		jitter, most time.Duration
	}{{2 * time.Millisecond, 96 * time.Second}, {20 * time.Millisecond, 96500 * time.Millisecond}, {coldJitter, floor + (coldShards-1)*coldMargin + time.Second}} {
		c := newColdStart(1)
		c.jitter, c.thinks = way.jitter, way.jitter
		if took := c.run(); took < floor || took > way.most {
			t.Errorf("jitter %v: %v, want %v to %v", way.jitter, took, floor, way.most)
		}
	}
}

// A network with far more jitter than the margin has identifies refused. Each makes the next less
// likely: a start sees few, where a constant margin has 8 of 20 refused.
func TestColdStartWidens(t *testing.T) {
	const seeds = 300
	refused := 0
	for seed := range uint64(seeds) {
		c := newColdStart(seed)
		c.jitter, c.thinks = 600*time.Millisecond, 0
		c.run()
		refused += c.refused
	}
	if mean := float64(refused) / seeds; mean > 3.5 {
		t.Errorf("%.2f refused of %d, want less than 3.5", mean, coldShards)
	} else {
		t.Logf("%.2f refused of %d", mean, coldShards)
	}
}

// The answers of Discord reach MASTER's Governor, through cluster, gate and link, and bring a whole
// fleet near the floor.
func TestColdStartOfAFleet(t *testing.T) {
	seedsOf(t, 4, func(f *fleet) {
		f.net.Latency = func() time.Duration { return time.Duration(f.loop.Rand.Int64N(int64(4 * time.Millisecond))) }
		f.fleetOf(rules.Config{ShardCount: coldShards, MaxConcurrency: 1}, 2)
		if took, most := f.loop.Now(), f.rules.Floor(coldShards)+time.Second; took > most {
			f.t.Errorf("READY after %v, want at most %v", took, most)
		} else {
			f.t.Logf("READY after %v", took)
		}
	})
}
