package scenarios

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// Links to MASTER break and heal at random, one and several at a time, while bots without sessions
// die on every machine: each machine alone keeps to its slots, MASTER keeps out of theirs, and no
// two identifies of a bucket ever meet.
func TestSlotsBesideMaster(t *testing.T) {
	seeds(t, func(f *fleet) {
		machines := 2 + f.loop.Rand.IntN(2)
		f.doubles = true
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 2, IdentifyTotal: 100000})
		own := f.withOwnMaster(machines)
		for i := range machines {
			f.add(fmt.Sprintf("m%d", i+1), f.good(forgetful), sesame)
		}
		f.must("every shard READY", 5*time.Minute, f.owned(24))
		up := true
		for end := f.loop.Now() + 4*time.Minute; f.loop.Now() < end; {
			f.pass(time.Duration(f.loop.Rand.IntN(8000)) * time.Millisecond)
			name := fmt.Sprintf("m%d", 1+f.loop.Rand.IntN(machines))
			switch f.loop.Rand.IntN(8) {
			case 0:
				f.net.Cut(name, "master")
			case 1, 2:
				f.net.Heal(name, "master")
			case 3:
				f.net.Drop(name, "master")
			case 4:
				if up = !up; up {
					own.start()
				} else {
					own.Crash()
				}
			default:
				if all := f.machines[name].Processes(); len(all) > 0 {
					all[f.loop.Rand.IntN(len(all))].Signal(syscall.SIGKILL)
				}
			}
		}
		for _, m := range f.inOrder() {
			f.net.Heal(m.Name, "master")
		}
		if !up {
			own.start()
		}
		f.must("every shard READY when it stops", 10*time.Minute, func() bool {
			f.recover()
			return f.owned(24)() && f.everywhere() == 12
		})
	})
}

// A machine is cut off for long, and goes on serving (on_master_loss: keep): its shards are given
// to the spare, so both have them until the cut heals. Then the machine is ordered to stop, and
// stops within a second; what was served twice is counted. No bot identifies for any of it.
func TestPartitionKeeps(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		f.doubles = true
		m := f.one()
		f.net.Cut(m.Name, "master")
		f.must("its shards go to the spare", 60*time.Second, func() bool { return own.saw("machine.replaced") == 1 })
		f.pass(time.Duration(f.loop.Rand.IntN(300)) * time.Second)
		want(f, "processes of the lost", len(m.Processes()), 5)
		f.net.Heal(m.Name, "master")
		f.must("it returns", 40*time.Second, func() bool { return own.saw("machine.joined") == 5 })
		f.must("it has stopped what is another's", time.Second, f.running(m, 0))
		f.doubles = false
		want(f, "fleet.doubled", own.saw("fleet.doubled"), 1)
		f.must("every shard has one owner", 70*time.Second, f.owned(60))
		want(f, "identifies", f.identifies(), 60)
	})
}

// While both have the shards they do not steal the sessions from each other in a loop: the machine
// without MASTER resumes each of them once a minute at most, and the one that MASTER named takes it
// back, so that it has them nearly always.
func TestPartitionStealsOnceAMinute(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		f.doubles = true
		lost := f.one()
		f.net.Cut(lost.Name, "master")
		f.must("its shards go to the spare", 60*time.Second, func() bool { return own.saw("machine.replaced") == 1 })
		const minutes, shards = 10, 20
		before, samples, owned := f.discord.Rules.Counts().Resumes, 0, 0
		for end := f.loop.Now() + minutes*time.Minute; f.loop.Now() < end; samples++ {
			f.pass(10 * time.Second)
			owned += f.readyOn(f.machines["m4"])
		}
		if got, most := f.discord.Rules.Counts().Resumes-before, shards*(2*(minutes+1)+1); got > most {
			f.t.Errorf("%d resumes of %d shards in %d minutes, want at most %d", got, shards, minutes, most)
		}
		if owned < samples*shards*9/10 {
			f.t.Errorf("the owner had %d of its %d shards on average", owned/samples, shards)
		}
		want(f, "identifies", f.identifies(), 60)
		f.net.Heal(lost.Name, "master")
		f.must("it has stopped", 41*time.Second, f.running(lost, 0))
		f.doubles = false
		f.must("every shard has one owner", 70*time.Second, f.owned(60))
	})
}

// readyOn counts the shards of a machine that are READY, as it reports itself.
func (f *fleet) readyOn(m *machine) (n int) {
	states := map[int]messages.ShardState{}
	for _, h := range f.events {
		if e, ok := h.event.(messages.ShardMoved); ok && h.machine == m.Name {
			states[e.Shard] = e.State
		}
	}
	for _, state := range states {
		if state == messages.ShardReady {
			n++
		}
	}
	return n
}

// The same with a lease (on_master_loss: fence): the machine stops before its shards are placed
// elsewhere, so that nothing is ever served twice; its bots do so even where its CONTROL is dead. A
// MASTER that is away for longer than the lease stops the fleet, and starts it again without an
// identify.
func TestPartitionFences(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1), leased)
		m := f.one()
		f.net.Cut(m.Name, "master")
		dead := f.loop.Rand.IntN(2) == 0
		if dead {
			f.crash(m)
			m.gone = true
		}
		f.must("it has stopped before its shards are another's", 26*time.Second, f.running(m, 0))
		want(f, "machine.replaced", own.saw("machine.replaced"), 0)
		f.must("READY on the spare", 30*time.Second, func() bool { return own.saw("machine.replaced") == 1 && f.owned(60)() })
		f.net.Heal(m.Name, "master")
		if dead {
			f.boot(m, sesame, mortal)
		}
		f.must("it returns", 70*time.Second, func() bool { return own.saw("machine.joined") == 5 })
		f.pass(time.Minute)
		want(f, "processes of the returned", len(m.Processes()), 0)
		want(f, "identifies", f.identifies(), 60)
		want(f, "fleet.doubled", own.saw("fleet.doubled"), 0)
	})
}

// With a lease, a bot that is started again while MASTER is away has no longer than the others,
// also when its CONTROL dies then, and the next one knows of no lease (seed 4590 of
// TestFleetChaos).
func TestLeaseOfTheRestarted(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
		own := f.withOwnMaster(1, leased)
		m := f.add("m1", f.good(nil), sesame)
		f.must("the fleet is whole", 2*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		own.Crash()
		f.pass(time.Second)
		m.Processes()[f.loop.Rand.IntN(6)].Signal(syscall.SIGKILL)
		f.must("started again", 10*time.Second, func() bool { return f.saw("cluster.ready") == 7 })
		f.crash(m)
		m.gone = true
		f.pass(time.Second)
		if f.loop.Rand.IntN(2) == 0 {
			f.boot(m, sesame)
		}
		f.must("all have stopped", 20*time.Second, f.running(m, 0))
		own.start()
		if m.gone {
			f.boot(m, sesame)
		}
		f.must("every shard READY again", 3*time.Minute, f.owned(24))
	})
}

// leased is the option of a MASTER that fences.
func leased(o *master.Options) { o.Lease = 20 * time.Second }

// With a lease, what a restarted MASTER let a machine start is that machine's, also when one comes
// later that was given it later, by an earlier MASTER: that one's has ended, and to take it away
// from the one that runs it would let it run twice. The same for a MASTER after that one, to which
// both come while it gathers (seed 1965 of TestFleetChaos).
func TestFenceKeepsWhatRuns(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1), leased)
		first, second := f.one(), f.machines["m4"]
		f.powerOff(first)
		f.must("the spare takes over", 36*time.Second, func() bool { return own.saw("machine.replaced") == 1 && f.owned(60)() })
		f.powerOff(second)
		own.Crash()
		f.boot(first, sesame, mortal)
		own.start()
		f.must("it serves again", 2*time.Minute, f.running(first, 5))
		f.pass(time.Duration(f.loop.Rand.IntN(5000)) * time.Millisecond)
		joined := own.saw("machine.joined") + 1
		if f.loop.Rand.IntN(2) == 0 {
			own.Crash()
			own.start()
			joined += 3
		}
		f.boot(second, sesame, mortal)
		f.must("every machine is back", 80*time.Second, func() bool { return own.saw("machine.joined") == joined })
		f.must("every shard READY", 3*time.Minute, f.owned(60))
		f.pass(time.Minute)
		want(f, "processes of the first", len(first.Processes()), 5)
		want(f, "processes of the second", len(second.Processes()), 0)
		want(f, "processes", f.everywhere(), 15)
	})
}

// MASTER is cut off from all machines, or suspended: none is replaced, whichever comes back first.
func TestMasterCutOff(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		if f.loop.Rand.IntN(2) == 0 {
			own.Freeze(time.Duration(f.loop.Rand.IntN(200)) * time.Second)
		} else {
			for _, m := range f.inOrder() {
				f.net.Cut(m.Name, "master")
			}
			f.pass(time.Duration(f.loop.Rand.IntN(300)) * time.Second)
			for _, m := range f.inOrder() {
				f.net.Heal(m.Name, "master")
			}
		}
		f.pass(5 * time.Minute)
		for _, m := range f.inOrder() {
			if f.net.Links(m.Name, "master") != 1 {
				f.t.Errorf("%s is not linked", m.Name)
			}
		}
		want(f, "machine.replaced", own.saw("machine.replaced"), 0)
		want(f, "identifies", f.identifies(), 60)
		want(f, "owned", f.owned(60)(), true)
	})
}

// A MASTER that restarts while a machine and its replacement both serve one range names the later
// one the owner.
func TestEpochsDecide(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		f.doubles = true
		m := f.one()
		f.net.Cut(m.Name, "master")
		f.must("its shards go to the spare", 60*time.Second, func() bool { return own.saw("machine.replaced") == 1 })
		f.pass(5 * time.Second)
		own.Crash()
		f.pass(time.Duration(f.loop.Rand.IntN(20)) * time.Second)
		f.net.Heal(m.Name, "master")
		own.start()
		f.must("all are back", 80*time.Second, func() bool { return own.saw("machine.joined") >= 8 })
		f.must("the lost one stops", 5*time.Second, f.running(m, 0))
		f.doubles = false
		want(f, "processes of the spare", len(f.machines["m4"].Processes()), 5)
		f.must("every shard has one owner", 70*time.Second, f.owned(60))
		want(f, "identifies", f.identifies(), 60)
	})
}

// The same where CONTROL of the lost machine died while that MASTER gathered: what it takes back it
// serves by the earlier order, whichever epoch it has seen since (seed 9581 of TestFleetChaos).
func TestEpochsOutliveControl(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1), func(o *master.Options) { o.Wait = 3 * time.Minute })
		f.doubles = true
		m := f.one()
		f.net.Cut(m.Name, "master")
		f.must("its shards go to the spare", 60*time.Second, func() bool { return own.saw("machine.replaced") == 1 && len(f.machines["m4"].Processes()) == 5 })
		own.Crash()
		f.net.Heal(m.Name, "master")
		f.net.Cut("m4", "master")
		own.start()
		f.must("all others are back", 80*time.Second, func() bool { return own.saw("machine.joined") == 7 })
		f.crash(m)
		f.pass(time.Duration(f.loop.Rand.IntN(30)) * time.Second)
		f.boot(m, sesame, mortal)
		f.must("it is back again", 10*time.Second, func() bool { return own.saw("machine.joined") == 8 })
		f.net.Heal("m4", "master")
		f.must("the spare is back", 40*time.Second, func() bool { return own.saw("machine.joined") == 9 })
		f.must("the lost one stops", 5*time.Second, f.running(m, 0))
		f.doubles = false
		want(f, "processes of the spare", len(f.machines["m4"].Processes()), 5)
		f.must("every shard has one owner", 70*time.Second, f.owned(60))
	})
}

// MASTER is suspended while a machine that wants to identify loses it, and paces itself. When it
// wakes it grants nothing before it knows of that, whatever was requested in that time (seed 2281
// of TestFleetChaos).
func TestMasterSleepsBesideSlots(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.doubles = true // m2 may be away for longer than the grace
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 2, IdentifyTotal: 100000})
		own := f.withOwnMaster(2)
		for _, name := range []string{"m1", "m2"} {
			f.add(name, f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{NoSessions: true} }), sesame)
		}
		f.must("every shard READY", 5*time.Minute, f.owned(24))
		own.Freeze(time.Duration(18000+f.loop.Rand.IntN(20000)) * time.Millisecond)
		f.net.Cut("m2", "master")
		f.pass(time.Duration(f.loop.Rand.IntN(4000)) * time.Millisecond)
		for _, m := range f.inOrder() {
			for _, p := range m.Processes() {
				p.Signal(syscall.SIGKILL)
			}
		}
		f.pass(45 * time.Second)
		f.net.Heal("m2", "master")
		f.must("every shard READY again", 5*time.Minute, f.owned(24))
	})
}
