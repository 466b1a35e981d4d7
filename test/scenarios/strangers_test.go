package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/rules"
)

// Every machine dies, and others come in their place. They serve what can be resumed; what has to
// identify waits until the dead are forgotten, for they might identify by their slots.
func TestAllMachinesReplaced(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 2)
		f.powerOff(f.machines["m1"])
		f.powerOff(f.machines["m2"])
		f.pass(time.Duration(f.loop.Rand.IntN(60)) * time.Second)
		f.add("n1", f.good(nil), sesame, mortal)
		f.add("n2", f.good(nil), sesame, mortal)
		f.must("processes", 2*time.Minute, func() bool { return f.everywhere() == 6 })
		f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: 0})
		f.must("what holds up the rest is reported", time.Minute, func() bool { return own.saw("identify.held") == 1 })
		f.pass(10 * time.Minute)
		want(f, "owned", f.owned(24)(), false)
		for _, gone := range []string{"m1", "m2"} {
			f.must("forgotten", time.Second, own.order("", messages.ForgetMachine{Source: gone}).over)
		}
		f.must("every shard READY", 2*time.Minute, f.owned(24))
	})
}

// Two machines that pace themselves have all the slots. A third one, which asks for permits, serves
// without any.
func TestNoSlotLeft(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
		own := f.withOwnMaster(2)
		a := f.addForeign("a", 5*time.Second, ofInfo)
		f.addForeign("b", 5*time.Second, ofInfo)
		f.must("whole", 10*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		m := f.add("m1", f.good(nil), sesame)
		f.must("a spare", time.Minute, func() bool { return own.saw("fleet.placed") == 3 })
		a.link.Close(1006, "")
		f.must("it takes over", time.Minute, func() bool { return len(m.Processes()) == 3 })
		f.must("what holds it up is reported", time.Minute, func() bool { return own.saw("identify.held") == 1 })
		f.must("forgotten", time.Second, own.order("", messages.ForgetMachine{Source: "a"}).over)
		f.must("READY", 2*time.Minute, f.owned(12))
	})
}

// A second host comes with the name of the first while the first's link is down. It gets in when
// the first is given up, and gets nothing of what runs there.
func TestNameOfAnother(t *testing.T) {
	for name, change := range map[string]func(*master.Options){"keep": func(*master.Options) {}, "fence": leased} {
		t.Run(name, func(t *testing.T) {
			seeds(t, func(f *fleet) {
				own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 2, change)
				f.doubles = name == "keep"
				f.net.Cut("m1", "master")
				f.pass(11 * time.Second)
				twin := f.add("twin", f.good(nil), sesame, mortal, func(o *actors.Options) { o.Master.Source = "m1" })
				f.pass(15 * time.Second)
				want(f, "processes of the twin", len(twin.Processes()), 0)
				want(f, "machine.duplicate", own.saw("machine.duplicate") > 0, true)
				f.must("it is a spare", 90*time.Second, func() bool { return own.saw("machine.replaced") == 1 && own.saw("machine.joined") == 3 })
				f.must("the other took over", 5*time.Second, func() bool { return len(f.machines["m2"].Processes()) == 6 })
				f.net.Heal("m1", "master")
				f.pass(2 * time.Minute)
				want(f, "processes of the twin", len(twin.Processes()), 0)
				want(f, "owned", f.owned(24)(), true)
				want(f, "identifies", f.identifies(), 24)
			})
		})
	}
}

// Two hosts have one name by mistake. The link of the first breaks again and again, for less than
// its grace: nothing moves.
func TestOneNameForTwo(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 2)
		twin := f.add("twin", f.good(nil), sesame, mortal, func(o *actors.Options) { o.Master.Source = "m1" })
		for range 10 {
			f.pass(time.Duration(30000+f.loop.Rand.IntN(30000)) * time.Millisecond)
			f.net.Cut("m1", "master")
			f.pass(time.Duration(f.loop.Rand.IntN(12000)) * time.Millisecond)
			f.net.Heal("m1", "master")
		}
		f.pass(time.Minute)
		want(f, "processes of the twin", len(twin.Processes()), 0)
		want(f, "processes", f.everywhere(), 6)
		want(f, "machine.duplicate", own.saw("machine.duplicate") > 0, true)
		want(f, "identifies", f.identifies(), 24)
	})
}

// A spare without a disk of its own dies and comes back, again and again. It does not take the
// slots of the machine that serves.
func TestSpareInACrashLoop(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 16, MaxConcurrency: 4}, 1)
		for i := range 12 {
			m := f.add(fmt.Sprintf("p%d", i), f.good(nil), sesame, mortal, func(o *actors.Options) { o.Master.Source = "pod" })
			f.must("joined", 2*time.Minute, func() bool { return own.saw("machine.joined") == 2+i })
			f.pass(12 * time.Second)
			f.powerOff(m)
			f.pass(30 * time.Second)
		}
		own.Crash()
		f.pass(20 * time.Second)
		f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: 0})
		f.must("it identifies by its own slots", 4*time.Minute, func() bool { return f.owned(16)() && f.identifies() > 16 })
	})
}
