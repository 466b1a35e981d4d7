package scenarios

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// MASTER's host and others of the fleet are started together, and the one that was away since
// before the bot was sharded again reports first: the later order counts.
func TestOutdatedComesFirst(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 3)
		f.pass(10 * time.Second)
		back := f.machines["m3"]
		f.powerOff(back)
		for _, name := range []string{"m1", "m2"} {
			f.stopControl(f.machines[name])
		}
		own.Crash()
		own.options.Shards, own.options.Expect = 48, 2
		own.start()
		f.boot(f.machines["m1"], sesame, mortal)
		f.boot(f.machines["m2"], sesame, mortal)
		f.must("whole with 48", 5*time.Minute, func() bool { return own.saw("fleet.operational") == 2 })
		f.pass(2 * time.Minute)
		f.doubles = true
		own.Crash() // MASTER's host is restarted; m3 is switched on
		f.pass(3 * time.Second)
		f.boot(back, sesame, mortal)
		own.events = nil
		own.start()
		f.pass(3 * time.Minute)
		want(f, "owned", f.owned(48)(), true)
	})
}

// Every link breaks for a moment: nothing is held up by that, and nothing is reported.
func TestNothingHeldByABlip(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 2)
		f.pass(time.Minute)
		f.net.Drop("m1", "master")
		f.net.Drop("m2", "master")
		f.pass(time.Minute)
		want(f, "machine.joined", own.saw("machine.joined"), 4)
		want(f, "identify.held", own.saw("identify.held"), 0)
	})
}

// MASTER restarts while all machines pace themselves, and one of them is back long before the
// others, and later than the hold for a predecessor lasts. MASTER is suspended, so that it reads
// the machine's report and requests at once: the requests wait for the slots that are kept. The
// same where Discord does not answer MASTER.
func TestComesBackLate(t *testing.T)      { seeds(t, comesBackLate(false)) }
func TestComesBackLateBlind(t *testing.T) { seeds(t, comesBackLate(true)) }

func comesBackLate(blind bool) func(f *fleet) {
	return func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 2, IdentifyTotal: 100000})
		own := f.withOwnMaster(3)
		for i := range 3 {
			f.add(fmt.Sprintf("m%d", i+1), f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{NoSessions: true} }), sesame)
		}
		f.must("every shard READY", 5*time.Minute, f.owned(24))
		own.Crash()
		f.pass(12 * time.Second)
		for _, name := range []string{"m1", "m2", "m3"} {
			for _, p := range f.machines[name].Processes() {
				p.Signal(syscall.SIGKILL)
			}
			f.net.Cut(name, "master")
		}
		f.doubles = true
		if blind {
			f.net.Cut("master", sim.DiscordPlace)
		}
		f.pass(10 * time.Second)
		own.start()
		f.pass(time.Duration(4000+f.loop.Rand.IntN(10000)) * time.Millisecond)
		for i := range 3 {
			name := fmt.Sprintf("m%d", i+1)
			f.net.Heal(name, "master")
			f.must("linked", time.Minute, func() bool { return f.net.Links(name, "master") > 0 })
			f.pass(time.Duration(f.loop.Rand.IntN(300)) * time.Millisecond)
			// several frames are read at once
			own.Freeze(time.Duration(100+f.loop.Rand.IntN(1000)) * time.Millisecond)
			f.pass(time.Duration(f.loop.Rand.IntN(12000)) * time.Millisecond)
		}
		f.net.Heal("master", sim.DiscordPlace)
		f.must("every shard READY again", 10*time.Minute, func() bool { f.recover(); return f.owned(24)() })
	}
}

// MASTER restarts where no machine reaches it for a minute. When they do, what a machine serves is
// its own.
func TestNobodyReachesMaster(t *testing.T) {
	for name, change := range map[string]func(*master.Options){"keep": func(*master.Options) {}, "fence": leased} {
		t.Run(name, func(t *testing.T) {
			seeds(t, func(f *fleet) {
				own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 3, change)
				f.pass(10 * time.Second)
				f.doubles = name == "keep"
				for _, m := range f.inOrder() {
					f.net.Cut(m.Name, "master")
				}
				own.Crash()
				own.events = nil
				own.start()
				f.pass(time.Minute)
				for _, m := range f.inOrder() {
					f.net.Heal(m.Name, "master")
				}
				f.pass(2 * time.Minute)
				want(f, "fleet.doubled", own.saw("fleet.doubled"), 0)
				most := 0
				for _, m := range f.inOrder() {
					most = max(most, len(m.Processes()))
				}
				want(f, "one machine has all", most == 6, false)
			})
		})
	}
}

// One machine with MASTER in it is restarted, as planned. It knows itself what it was granted: its
// bots, which have no sessions, identify at once.
func TestMachineAloneRestarts(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 16})
		own := f.withOwnMaster(1, func(o *master.Options) { o.Alone = true })
		m := f.add("m1", f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{NoSessions: true} }), sesame)
		f.must("owned", time.Minute, f.owned(16))
		f.pass(time.Minute)
		f.stopControl(m)
		own.Crash()
		own.start()
		at := f.loop.Now()
		f.boot(m, sesame)
		f.must("identified", time.Minute, func() bool { return f.identifies() > 16 })
		want(f, "slow", f.loop.Now()-at > 2*time.Second, false)
	})
}

// MASTER began while Discord did not answer how many may identify today, the fleet is halted, and
// resumed when Discord is back: it is asked before anything identifies.
func TestHaltedBeforeTheBudgetIsKnown(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4, IdentifyTotal: 1000, IdentifyRemaining: 34}, 2)
		f.net.Cut("master", sim.DiscordPlace)
		own.Crash()
		own.events = nil
		own.start()
		f.must("back", time.Minute, func() bool { return own.saw("machine.joined") == 2 })
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 3, Code: 4014})
		f.must("halted", time.Minute, func() bool { return own.saw("fleet.halted") == 1 })
		f.pass(5 * time.Minute)
		f.net.Heal("master", sim.DiscordPlace)
		f.pass(5 * time.Minute)
		o := own.order("", messages.ResumeFleet{})
		f.must("resumed", 10*time.Second, o.over)
		f.pass(5 * time.Minute)
		want(f, "token resets", f.discord.Rules.Counts().TokenResets, 0)
	})
}

// A foreign CONTROL that asks for permits, and knows nothing of slots, is in the fleet. CONTROLs of
// this project that come later are machines like others.
func TestForeignWithPermitsWithoutSlots(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
		f.withOwnMaster(2)
		x := f.addForeign("x", 5*time.Second, ofInfo)
		x.permits = true
		f.add("m1", f.good(nil), sesame)
		f.must("m1", 5*time.Minute, func() bool { return f.discord.Rules.Counts().Owned > 0 })
		f.pass(time.Minute)
		f.add("m2", f.good(nil), sesame)
		f.add("m3", f.good(nil), sesame)
		f.pass(5 * time.Minute)
		f.powerOff(f.machines["m1"])
		f.must("another takes over", 2*time.Minute, func() bool { return f.everywhere() > 0 })
		f.pass(time.Minute)
		f.powerOff(f.one())
		f.must("the last takes over", 10*time.Minute, func() bool { return f.everywhere() > 0 })
	})
}

// With a lease every machine was replaced, and MASTER restarts: an earlier machine that is not here
// has certainly stopped.
func TestReplacedThenMasterRestarts(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 2, leased)
		f.powerOff(f.machines["m1"])
		f.powerOff(f.machines["m2"])
		f.add("n1", f.good(nil), sesame, mortal)
		f.add("n2", f.good(nil), sesame, mortal)
		f.must("owned", 3*time.Minute, f.owned(24))
		f.pass(10 * time.Second)
		own.Crash()
		own.events = nil
		own.start()
		f.must("back", 2*time.Minute, func() bool { return own.saw("machine.joined") == 2 })
		f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: 0})
		f.pass(5 * time.Minute)
		f.must("owned", time.Minute, f.owned(24))
	})
}

// With a lease MASTER restarts where the earlier machines cannot reach it, and new ones can. Those
// wait until what the others serve is over.
func TestNewcomersAlone(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 2, leased)
		f.pass(time.Minute)
		f.net.Cut("m1", "master")
		f.net.Cut("m2", "master")
		own.Crash()
		own.start()
		f.add("n1", f.good(nil), sesame, mortal)
		f.add("n2", f.good(nil), sesame, mortal)
		f.pass(2 * time.Minute)
		want(f, "owned", f.owned(24)(), true)
	})
}

// MASTER waits for machines, and none returns. The first to connect then is new to the fleet, and
// is assigned everything at once.
func TestMasterWaitsInVain(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 16})
		f.withOwnMaster(3)
		f.pass(time.Minute + time.Duration(f.loop.Rand.IntN(60))*time.Second)
		f.add("m1", f.good(nil), sesame)
		f.must("every shard READY", 15*time.Second, f.owned(16))
	})
}
