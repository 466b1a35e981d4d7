package scenarios

import (
	"testing"
	"time"

	"github.com/discluster/control/transport/discord/rules"
)

// This file tests late arrivals: a timer of an absence that is over, an answer that lay in a
// socket.

// A machine is away for most of an hour, and is forgotten in none of the hours after it came back.
func TestForgetIsTooLate(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 8}, 2)
		dead := f.machines["m2"]
		f.powerOff(dead)
		f.must("its shards are given away", 2*time.Minute, func() bool { return own.saw("machine.replaced") == 1 })
		f.pass(time.Duration(40+f.loop.Rand.IntN(18)) * time.Minute)
		f.boot(dead, sesame, mortal)
		f.must("it is back", time.Minute, func() bool { return own.saw("machine.joined") == 3 })
		f.pass(30 * time.Minute)
		want(f, "machine.forgotten", own.saw("machine.forgotten"), 0)
		want(f, "links", f.net.Links("m2", "master"), 1)
	})
}

// CONTROL is suspended while a permit of MASTER's lies in its socket, and wakes when it is over: it
// is not used, and asked for again.
func TestPermitBehindASleep(t *testing.T) {
	seedsOf(t, 20, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 48, MaxConcurrency: 2})
		f.withOwnMaster(2)
		f.add("m1", f.good(nil), sesame, mortal)
		f.add("m2", f.good(nil), sesame, mortal)
		f.must("they have begun", 2*time.Minute, func() bool { return f.identifies() >= 2 })
		for range 12 {
			f.pass(time.Duration(f.loop.Rand.IntN(5000)) * time.Millisecond)
			f.one().Freeze(time.Duration(1000+f.loop.Rand.IntN(6000)) * time.Millisecond)
			f.pass(5 * time.Second)
		}
		f.must("every shard READY", 5*time.Minute, f.owned(48))
	})
}

// MASTER dies while it grants, and each machine paces itself from then on: what was granted to one
// is over before another begins.
func TestMasterDiesWhileItGrants(t *testing.T) {
	seedsOf(t, 20, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 32, MaxConcurrency: 2}, 2)
		f.pass(time.Minute)
		f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: rules.All})
		f.pass(time.Duration(1000+f.loop.Rand.IntN(20000)) * time.Millisecond)
		own.Crash()
		f.must("every shard READY", 10*time.Minute, f.owned(32))
		own.start()
		f.must("linked", 2*time.Minute, func() bool { return f.net.Links("m1", "master") == 1 && f.net.Links("m2", "master") == 1 })
		want(f, "violations", f.discord.Rules.Counts().Violations, 0)
	})
}

// A machine is away twice in a row. The grace of its first absence does not count for the second:
// it has all of it to come back.
func TestGraceIsOfOneAbsence(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 8}, 2)
		m := f.machines["m2"]
		f.pass(10 * time.Second)
		for i := range 2 {
			f.crash(m)
			f.pass(15 * time.Second)
			want(f, "machine.replaced", own.saw("machine.replaced"), 0)
			if i == 0 {
				f.boot(m, sesame, mortal)
				f.must("it is back", 5*time.Second, func() bool { return own.saw("machine.joined") == 3 })
				f.pass(5 * time.Second)
			}
		}
		f.boot(m, sesame, mortal)
		f.pass(time.Minute)
		want(f, "machine.replaced", own.saw("machine.replaced"), 0)
		want(f, "owned", f.owned(24)(), true)
		want(f, "identifies", f.identifies(), 24)
	})
}
