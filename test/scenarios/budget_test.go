package scenarios

import (
	"bytes"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/transport/discord/rules"
)

// Bots without sessions die again and again, until only the reserve of the day's identifies is
// left. That is reported, once. The reserve is not touched, also by a restarted MASTER; and when
// Discord's day is over everything comes back.
func TestBudgetKeepsItsReserve(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8, IdentifyTotal: 70, ResetAfter: 40 * time.Minute})
		own := f.withOwnMaster(2)
		for i := range 2 {
			f.add(fmt.Sprintf("m%d", i+1), f.good(forgetful), sesame, mortal)
		}
		f.must("every shard READY", 2*time.Minute, f.owned(24))
		f.reserve = 24
		killed := 0
		for end := f.loop.Now() + 30*time.Minute; f.loop.Now() < end; {
			// slowly enough for no cluster to be broken off
			f.pass(time.Duration(200+f.loop.Rand.IntN(60)) * time.Second)
			for _, m := range f.inOrder() {
				if p := f.processOf(m, fmt.Sprint(killed%3)); p != nil {
					p.Signal(syscall.SIGKILL)
				}
			}
			killed++
			if f.loop.Rand.IntN(10) == 0 {
				own.Crash()
				own.start()
			}
		}
		want(f, "identify.budget_low", own.saw("identify.budget_low") > 0, true)
		f.reserve = 0
		f.must("everything is back with the next day", 15*time.Minute, func() bool {
			f.recover()
			return f.owned(24)()
		})
	})
}

// What is left is not enough for a start: the rest of it waits for the next day, and not one
// identify too many is sent. What an operator orders goes on.
func TestBudgetEnds(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8, IdentifyTotal: 1000, IdentifyRemaining: 10, ResetAfter: 10 * time.Minute})
		own := f.withOwnMaster(1)
		f.add("m1", f.good(nil), sesame)
		f.pass(9 * time.Minute)
		want(f, "identifies", f.identifies(), 10)
		want(f, "token resets", f.discord.Rules.Counts().TokenResets, 0)
		want(f, "identify.budget_low", own.saw("identify.budget_low"), 1)
		f.must("the rest follows", 3*time.Minute, f.owned(24))
		want(f, "identifies", f.identifies(), 24)
	})
}

// A bot that identifies at its own pace takes the buckets of all its shards at once: what is left
// must be enough for the whole cluster, or it waits for the next day.
func TestBudgetOfStockBots(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 20, MaxConcurrency: 1, IdentifyTotal: 1000, IdentifyRemaining: 13, ResetAfter: 20 * time.Minute})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.stockPrograms(nil), sesame, discordoo)
		f.pass(19 * time.Minute)
		want(f, "identifies", f.identifies(), 10)
		want(f, "processes", len(m.Processes()), 1)
		want(f, "identify.budget_low", own.saw("identify.budget_low"), 1)
		f.must("the rest follows", 5*time.Minute, f.owned(20))
		want(f, "identifies", f.identifies(), 20)
		want(f, "token resets", f.discord.Rules.Counts().TokenResets, 0)
		want(f, "identify.impossible", own.saw("identify.impossible"), 0)
	})
}

// One of its clusters dies when what is left above the reserve is less than it takes: it waits, and
// the reserve is not touched.
func TestBudgetKeepsItsReserveFromStockBots(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 20, MaxConcurrency: 1, IdentifyTotal: 45, ResetAfter: 3 * time.Hour})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.stockPrograms(nil), sesame, discordoo)
		f.must("every shard READY", 10*time.Minute, f.owned(20)) // 25 are left, 20 are the reserve
		f.reserve = 20
		f.processOf(m, "1").Signal(syscall.SIGKILL)
		f.pass(20 * time.Minute)
		want(f, "identifies", f.identifies(), 20)
		want(f, "identify.budget_low", own.saw("identify.budget_low"), 1)
	})
}

// A day has fewer identifies than one bucket of a cluster takes: none is wasted, and one event
// reports that the cluster cannot start.
func TestBudgetThatIsNeverEnough(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 20, MaxConcurrency: 1, IdentifyTotal: 9, ResetAfter: 20 * time.Minute})
		own := f.withOwnMaster(1)
		f.add("m1", f.stockPrograms(nil), sesame, discordoo)
		f.pass(50 * time.Minute)
		want(f, "identifies", f.identifies(), 0)
		want(f, "identify.impossible", own.saw("identify.impossible"), 1)
	})
}

// Before a large start Discord is asked how many may identify, unless it answered recently; nothing
// is assigned until it answers, or does not.
func TestBudgetIsAskedBeforeALargeStart(t *testing.T) {
	seeds(t, func(f *fleet) {
		answers := f.loop.Rand.IntN(2) == 0
		f.withDiscord(rules.Config{ShardCount: 64, MaxConcurrency: 16})
		own := f.withOwnMaster(1)
		asked, placed := 0, 0
		own.HTTP = func(r world.Request) (world.Response, error) {
			if asked++; asked > 1 {
				if asked == 2 {
					placed = own.saw("fleet.placed")
				}
				if !answers {
					return world.Response{}, errors.New("timed out")
				}
			}
			return f.discord.HTTP(r)
		}
		f.pass(2 * time.Minute)
		f.add("m1", f.good(nil), sesame)
		f.must("every shard READY", time.Minute, f.owned(64))
		if asked < 2 || asked > 6 { // once before the start, and about once a wave
			f.t.Errorf("%d questions, want 2 to 6", asked)
		}
		want(f, "placed before the answer", placed, 0)
	})
}

// Discord recommends more shards than are served: that is reported, once, and changes nothing.
func TestShardCountIsPinned(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8})
		own := f.withOwnMaster(1)
		f.add("m1", f.good(nil), sesame)
		f.must("every shard READY", 2*time.Minute, f.owned(24))
		own.Crash()
		own.HTTP = func(r world.Request) (world.Response, error) {
			answer, err := f.discord.HTTP(r)
			answer.Body = bytes.Replace(answer.Body, []byte(`"shards":24`), []byte(`"shards":48`), 1)
			return answer, err
		}
		own.start()
		f.must("linked again", time.Minute, func() bool { return own.saw("machine.joined") == 2 })
		f.pass(time.Minute)
		want(f, "shards.recommended", own.saw("shards.recommended"), 1)
		want(f, "owned", f.owned(24)(), true)
		want(f, "identifies", f.identifies(), 24)
	})
}
