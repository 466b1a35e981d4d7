package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// mortal is the option of a machine whose bots end without CONTROL, before MASTER places their
// shards elsewhere.
func mortal(o *actors.Options) {
	o.Cluster.OnLost, o.Cluster.LostAfter = messages.OnLostExit, 25*time.Second
}

// spares is the option of a MASTER that keeps machines without shards.
func spares(n int) func(*master.Options) { return func(o *master.Options) { o.Spares = n } }

// fleetOf starts a fleet on machines machines, and waits until all its shards are READY.
func (f *fleet) fleetOf(c rules.Config, machines int, change ...func(*master.Options)) *ownMaster {
	f.t.Helper()
	return f.fleetOfBots(f.good(nil), c, machines, change...)
}

// fleetOfBots is fleetOf with other programs.
func (f *fleet) fleetOfBots(program func(proc.Spec) (sim.Program, error), c rules.Config, machines int, change ...func(*master.Options)) *ownMaster {
	f.t.Helper()
	f.withDiscord(c)
	own := f.withOwnMaster(machines, change...)
	for i := range machines {
		f.add(fmt.Sprintf("m%d", i+1), program, sesame, mortal)
	}
	f.must("the fleet is whole", 2*time.Minute+f.rules.Floor(c.ShardCount), func() bool { return own.saw("fleet.operational") == 1 })
	return own
}

// one returns a machine that runs something, drawn by the seed.
func (f *fleet) one() *machine {
	var all []*machine
	for _, m := range f.inOrder() {
		if !m.gone && len(m.Processes()) > 0 {
			all = append(all, m)
		}
	}
	return all[f.loop.Rand.IntN(len(all))]
}

// everywhere counts the processes of all machines.
func (f *fleet) everywhere() (n int) {
	for _, m := range f.inOrder() {
		n += len(m.Bots())
	}
	return n
}

// A machine loses its power. Its shards are READY on the spare within the grace and three seconds,
// and not one is identified for that.
func TestMachineDies(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		want(f, "machines that serve", f.everywhere()-len(f.machines["m4"].Processes()), 15)
		f.pass(time.Duration(f.loop.Rand.IntN(60000)) * time.Millisecond)
		dead := f.one()
		f.powerOff(dead)
		f.must("READY on the spare", own.options.Grace+3*time.Second, func() bool { return own.saw("machine.replaced") == 1 && f.owned(60)() })
		f.must("every order is obeyed", time.Second, func() bool { return f.everywhere() == 15 })
		want(f, "processes of the spare", len(f.machines["m4"].Processes()), 5)
		f.boot(dead, sesame, mortal)
		f.must("it returns as a spare", time.Minute, func() bool { return own.saw("machine.joined") == 5 })
		f.pass(time.Minute)
		want(f, "processes of the returned", len(dead.Processes()), 0)
		want(f, "identifies", f.identifies(), 60)
		want(f, "fleet.doubled", own.saw("fleet.doubled"), 0)
	})
}

// Without a spare the others share what a dead machine served, each by what it has already.
func TestMachineDiesWithoutSpare(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 64, MaxConcurrency: 4}, 4)
		dead := f.one()
		f.powerOff(dead)
		f.must("READY elsewhere", own.options.Grace+3*time.Second, func() bool { return own.saw("machine.replaced") == 1 && f.owned(64)() })
		f.must("shared", time.Second, func() bool { return f.everywhere() == 16 })
		for _, m := range f.inOrder() {
			if n := len(m.Processes()); m != dead && n != 5 && n != 6 {
				f.t.Errorf("%s runs %d clusters, want 5 or 6", m.Name, n)
			}
		}
		want(f, "identifies", f.identifies(), 64)
	})
}

// Machine after machine dies, until one is left that serves everything.
func TestAllButOneDie(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 48, MaxConcurrency: 4}, 4, spares(1))
		for range 3 {
			f.powerOff(f.one())
			f.must("READY elsewhere", own.options.Grace+3*time.Second, func() bool { return f.owned(48)() && f.everywhere() == 12 })
			f.pass(time.Duration(f.loop.Rand.IntN(20000)) * time.Millisecond)
		}
		want(f, "identifies", f.identifies(), 48)
	})
}

// MASTER and two of five machines die together. A spare takes its share of what is missing, not all
// of it.
func TestMoreDieThanThereAreSpares(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 80, MaxConcurrency: 4}, 5, spares(1))
		f.powerOff(f.machines["m1"])
		f.powerOff(f.machines["m2"])
		own.Crash()
		own.start()
		f.must("READY elsewhere", 4*time.Minute, func() bool { return f.owned(80)() && f.everywhere() == 20 })
		for _, m := range f.inOrder() {
			if n := len(m.Processes()); n > 7 {
				f.t.Errorf("%s runs %d of 20 clusters, want 7 at most", m.Name, n)
			}
		}
	})
}

// A machine that returns within the grace keeps what it serves, whether its CONTROL was gone or
// only its link.
func TestMachineReturnsInTime(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		m := f.one()
		pids := f.pids(m)
		if f.loop.Rand.IntN(2) == 0 {
			f.net.Drop(m.Name, "master")
		} else {
			f.crash(m)
			f.pass(time.Duration(f.loop.Rand.IntN(20000)) * time.Millisecond)
			f.boot(m, sesame, mortal)
		}
		f.must("it is back", time.Minute, func() bool { return own.saw("machine.joined") == 5 })
		f.pass(time.Minute)
		want(f, "its processes", f.pids(m), pids)
		want(f, "identifies", f.identifies(), 60)
		want(f, "machine.replaced", own.saw("machine.replaced"), 0)
	})
}

// CONTROL dies for good while its bots live: they end before their shards are placed elsewhere.
func TestControlDiesAlone(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		m := f.one()
		f.crash(m)
		m.gone = true
		f.must("READY on the spare", own.options.Grace+3*time.Second, func() bool { return own.saw("machine.replaced") == 1 && f.owned(60)() })
		want(f, "processes without CONTROL", len(m.Processes()), 0)
		want(f, "identifies", f.identifies(), 60)
	})
}

// CONTROL dies for good the moment its processes are started, before it sent HELLO to them all:
// those end by themselves before their shards are placed elsewhere (seed 330 of TestFleetChaos).
func TestControlDiesBeforeHello(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 60, MaxConcurrency: 4})
		f.withOwnMaster(2, spares(1))
		m := f.add("m1", f.good(nil), sesame, mortal)
		f.add("m2", f.good(nil), sesame, mortal)
		started := 1 + f.loop.Rand.IntN(15)
		f.must("its processes start", time.Minute, func() bool { return len(m.Processes()) >= started })
		f.crash(m)
		m.gone = true
		f.must("READY on the other one", 5*time.Minute, f.owned(60))
		want(f, "processes without CONTROL", len(m.Processes()), 0)
	})
}

// A machine that was forgotten returns, and takes its orders: their ids are new (seed 1625 of
// TestFleetChaos).
func TestForgottenReturns(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 2, spares(1))
		m, other := f.machines["m1"], f.machines["m2"]
		if f.one() != m {
			m, other = other, m
		}
		carriedOut := func(d messages.FleetDirective) {
			o := own.order("", d)
			f.must("an answer", 20*time.Second, o.over)
			want(f, d.FleetOrder(), o.err(), "")
		}
		carriedOut(messages.DrainMachine{Source: m.Name})
		carriedOut(messages.UndrainMachine{Source: m.Name})
		f.pass(time.Second) // it is informed
		f.net.Cut(m.Name, "master")
		f.must("lost", time.Minute, func() bool { return own.saw("machine.lost") == 1 })
		carriedOut(messages.ForgetMachine{Source: m.Name})
		f.net.Heal(m.Name, "master")
		f.must("it returns", time.Minute, func() bool { return own.saw("machine.joined") == 3 })
		f.pass(time.Second)
		carriedOut(messages.DrainMachine{Source: other.Name})
		want(f, "its processes", len(m.Processes()), 15)
		want(f, "identifies", f.identifies(), 60)
	})
}

// A machine stops as its operator wants it: its shards move at once.
func TestMachineLeaves(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		f.stopControl(f.one())
		f.must("READY elsewhere", 3*time.Second, func() bool { return f.owned(60)() && f.everywhere() == 15 })
		want(f, "identifies", f.identifies(), 60)
		want(f, "machine.left", own.saw("machine.left"), 1)
	})
}
