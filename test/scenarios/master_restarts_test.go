package scenarios

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// A machine learns that Discord refuses the bot's intents while a restarted MASTER has no answer of
// Discord. When it has one, the fleet is halted, and can be resumed.
func TestFatalWhileMasterAsks(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 2)
		own.Crash()
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOn, Shard: rules.All})
		own.start()
		f.must("linked", time.Minute, func() bool { return f.net.Links("m1", "master") == 1 })
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 0, Code: 4014})
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 23, Code: 4014})
		f.pass(time.Minute)
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOff, Shard: rules.All})
		f.must("halted", 2*time.Minute, func() bool { return own.saw("fleet.halted") == 1 && f.everywhere() == 0 })
		f.must("resumed", time.Minute, own.order("", messages.ResumeFleet{}).over)
		f.must("every shard READY", 5*time.Minute, f.owned(24))
	})
}

// MASTER restarts while Discord does not answer how many shards there are. Its CONTROLs know:
// everything goes on, leases are renewed, and a machine that dies is replaced.
func TestMasterLearnsFromControls(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 3, leased, spares(1))
		own.Crash()
		f.net.Cut("master", sim.DiscordPlace)
		f.pass(time.Duration(f.loop.Rand.IntN(7000)) * time.Millisecond)
		own.start()
		f.pass(2 * time.Minute)
		want(f, "processes", f.everywhere(), 6)
		want(f, "owned", f.owned(24)(), true)
		f.powerOff(f.one())
		f.must("replaced", 45*time.Second, func() bool { return own.saw("machine.replaced") == 1 && f.owned(24)() })
		want(f, "identifies", f.identifies(), 24)
	})
}

// MASTER restarts beside a machine that is cut off. There are as many as it expects without that
// one, or its wait is short: what that one serves is assigned to no other before it has stopped, by
// its lease.
func TestMissingAtTheStart(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 36, MaxConcurrency: 4}, 3, leased)
		f.add("m4", f.good(nil), sesame, mortal)
		f.must("a fourth is there", time.Minute, func() bool { return own.saw("machine.joined") == 4 })
		m := f.one()
		f.net.Cut(m.Name, "master")
		own.Crash()
		if f.loop.Rand.IntN(2) == 0 {
			own.options.Expect, own.options.Wait = 0, 5*time.Second
		}
		own.start()
		f.must("the others took over", 80*time.Second, func() bool { return len(m.Processes()) == 0 && f.owned(36)() })
		f.net.Heal(m.Name, "master")
		f.pass(time.Minute)
		want(f, "owned", f.owned(36)(), true)
		want(f, "identifies, but for what was resumed too late", f.identifies() <= 36+12, true)
	})
}
