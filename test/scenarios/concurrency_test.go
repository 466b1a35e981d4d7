package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// Discord's max_concurrency changes at some moment, up or down. No identify comes too early by the
// new figure (I1), whichever paces: it reaches the pacer and every machine before the next grant.

// concurrency changes it at a moment at which no permit is out: a granted one cannot be recalled.
func (f *fleet) concurrency(n int) {
	f.t.Helper()
	f.must("a moment without an identify", 5*time.Minute, func() bool {
		age := f.sinceIdentify()
		return age > time.Second && age < 3*time.Second || age > 20*time.Second
	})
	f.discord.Step(rules.Fault{Kind: rules.FaultConcurrency, MaxConcurrency: n, Shard: rules.All})
}

// sinceIdentify returns how long ago Discord saw the last IDENTIFY.
func (f *fleet) sinceIdentify() time.Duration {
	least := time.Hour
	for _, s := range f.discord.Rules.Score().Shards {
		if n := len(s.IdentifyAt); n > 0 {
			least = min(least, time.Since(s.IdentifyAt[n-1]))
		}
	}
	return least
}

// forgetSessions does what a restarted Discord does: every session is gone.
func (f *fleet) forgetSessions() {
	f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: rules.All})
	f.pass(time.Second)
}

var figures = []int{1, 2, 3, 8, 16}

// max_concurrency changes while a machine or three serve, and all sessions are gone at once, a few
// times.
func TestConcurrencyChangesWhileServing(t *testing.T) {
	for _, machines := range []int{1, 3} {
		t.Run(fmt.Sprint(machines, " machines"), func(t *testing.T) {
			seedsOf(t, 10, func(f *fleet) {
				f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8, IdentifyTotal: 100000})
				own := f.withOwnMaster(machines)
				for i := range machines {
					f.add(fmt.Sprintf("m%d", i+1), f.good(nil), sesame)
				}
				f.must("every shard READY", 2*time.Minute, f.owned(24))
				before, changed := 8, false
				for range 3 {
					f.pass(time.Duration(2+f.loop.Rand.IntN(120)) * time.Second)
					n := figures[f.loop.Rand.IntN(len(figures))]
					before, changed = n, changed || n != before
					f.concurrency(n)
					f.forgetSessions()
					f.must("every shard READY again", rules.Config{MaxConcurrency: n}.Floor(24)*11/10+40*time.Second, f.owned(24))
				}
				want(f, "storms", f.saw("cluster.identify_storm"), 0)
				want(f, "fleet.asked again", own.saw("fleet.asked") > 1, changed)
			})
		})
	}
}

// max_concurrency changes in the middle of a start.
func TestConcurrencyChangesDuringAStart(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 48, MaxConcurrency: figures[f.loop.Rand.IntN(len(figures))], IdentifyTotal: 100000})
		f.withOwnMaster(1)
		f.add("m1", f.good(nil), sesame)
		f.must("the start has begun", time.Minute, func() bool { return f.identifies() > 0 })
		for range 4 {
			f.pass(time.Duration(f.loop.Rand.IntN(20)) * time.Second)
			f.concurrency(figures[f.loop.Rand.IntN(len(figures))])
		}
		f.must("every shard READY", 6*time.Minute, f.owned(48))
		want(f, "identifies", f.identifies(), 48)
	})
}

// max_concurrency changes while MASTER is away, or cannot reach Discord. Once it can, the first
// grant is by the new figure.
func TestConcurrencyChangesBehindMaster(t *testing.T) {
	for _, dead := range []bool{true, false} {
		t.Run(fmt.Sprint("dead ", dead), func(t *testing.T) {
			seedsOf(t, 10, func(f *fleet) {
				f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 16, IdentifyTotal: 100000})
				own := f.withOwnMaster(2)
				for i := range 2 {
					f.add(fmt.Sprintf("m%d", i+1), f.good(nil), sesame)
				}
				f.must("every shard READY", 2*time.Minute, f.owned(24))
				if dead {
					own.Crash()
				} else {
					f.net.Cut("master", sim.DiscordPlace)
				}
				f.pass(time.Minute)
				f.concurrency(2)
				f.pass(time.Duration(f.loop.Rand.IntN(60)) * time.Second)
				if dead {
					own.start()
					f.must("both are back", 2*time.Minute, func() bool { return own.saw("machine.joined") == 4 })
				} else {
					f.net.Heal("master", sim.DiscordPlace)
				}
				f.forgetSessions()
				f.must("every shard READY again", 3*time.Minute, f.owned(24))
				want(f, "identifies", f.identifies(), 48)
			})
		})
	}
}
