package scenarios

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/mockmaster"
	"github.com/discluster/control/transport/discord/rules"
)

// fencing is a scripted MASTER with a lease of 20 s.
func fencing(shards, maxConcurrency int) mockmaster.Options {
	o := ours(initialise(shards, maxConcurrency))
	o.Initialise.LeaseMS = new(messages.Millis(20 * time.Second))
	return o
}

// CONTROL is suspended until its shards are another machine's. MASTER's packets of that time wait
// in its link: an initialise among them renews no lease, and nothing is started beside the new
// owner.
func TestLeaseOfAnOldInitialise(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 36, MaxConcurrency: 4}, 4, spares(1), leased)
		m := f.one()
		m.Freeze(time.Duration(65+f.loop.Rand.IntN(30)) * time.Second)
		f.pass(time.Duration(f.loop.Rand.IntN(15000)) * time.Millisecond)
		own.order("", messages.UndrainMachine{Source: m.Name})
		f.must("its shards are given away", time.Minute, func() bool { return own.saw("machine.replaced") == 1 })
		f.pass(2 * time.Minute)
		want(f, "owned", f.owned(36)(), true)
		want(f, "processes", f.everywhere(), 9)
		want(f, "identifies", f.identifies(), 36)
	})
}

// A MASTER that sends the fleet's settings again and again, and acks no heartbeat, does not hear
// CONTROL: the lease ends as if it were silent.
func TestLeaseNeedsAcks(t *testing.T) {
	seeds(t, func(f *fleet) {
		o := fencing(32, 16)
		o.AcksBeats = false
		length := time.Duration(20+f.loop.Rand.IntN(15)) * time.Second
		o.Initialise.LeaseMS = new(messages.Millis(length))
		m := f.alone(32, 16, o, nil)
		dialled := f.dials[0]
		f.connect(m, "c", 0, 31)
		for f.loop.Now() < dialled+length {
			want(f, "lease.lost", f.saw("lease.lost"), 0)
			f.master.Send("m1", o.Initialise)
			f.master.Send("m1", messages.HeartbeatAck{Seq: 1e6}) // of nothing that was asked
			f.pass(time.Second)
		}
		f.must("it stops", time.Second, f.running(m, 0))
		want(f, "lease.lost", f.saw("lease.lost"), 1)
	})
}

// The first initialise of a link may be late: its lease counts from the dial.
func TestLeaseCountsFromTheDial(t *testing.T) {
	seeds(t, func(f *fleet) {
		o := fencing(16, 16)
		o.SilentGreeting, o.AcksBeats = true, false
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 16})
		f.withMaster(o)
		m := f.add("m1", f.good(nil))
		f.must("the link", time.Second, func() bool { return f.master.Link("m1") != nil })
		f.pass(9 * time.Second)
		f.master.Send("m1", o.Initialise)
		f.connect(m, "c", 0, 15)
		f.must("it serves", 5*time.Second, f.acked(m, "c", "operational"))
		f.must("it stops", f.dials[0]+21*time.Second-f.loop.Now(), f.running(m, 0))
	})
}

// What is granted while the lease is over waits for it. If it is taken away before the lease is
// back, it is not begun (seed 91 of TestFleetChaos).
func TestOffloadOfWhatWaits(t *testing.T) {
	seeds(t, func(f *fleet) {
		o := fencing(64, 16)
		o.AcksBeats = false
		m := f.alone(64, 16, o, nil)
		f.pass(21 * time.Second)
		f.connect(m, "c", 0, 63)
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 16, Last: 31}})
		f.must("released", time.Second, f.acked(m, "o", "released"))
		f.master.Change(func(o *mockmaster.Options) { o.AcksBeats = true })
		f.must("it serves the rest", time.Minute, func() bool { return f.acks(m, "c", "operational") == 2 })
		f.pass(time.Second)
		all := sent[messages.Info](f, m)
		want(f, "ranges served", rangesOf(all[len(all)-1]), "0-15 operational, 32-63 operational")
		want(f, "order.refused", f.saw("order.refused"), 0)
	})
}

// What is granted while the lease is over waits for it. Beyond the limit of waiting grants it is
// refused, and not obeyed.
func TestConnectsThatWait(t *testing.T) {
	seeds(t, func(f *fleet) {
		o := fencing(32, 16)
		o.AcksBeats = false
		m := f.alone(32, 16, o, nil)
		f.pass(21 * time.Second)
		const most = 256
		for i := range most + 1 {
			f.connect(m, fmt.Sprint("c", i), 0, 31)
		}
		f.refused(m, "connect", "256 connects wait here for the end of other orders")
		f.pass(20 * time.Second)
		want(f, "order.refused", f.saw("order.refused"), 1)
		want(f, "processes", len(m.Processes()), 0)
		f.master.Change(func(o *mockmaster.Options) { o.AcksBeats = true })
		f.must("it serves", time.Minute, f.acked(m, fmt.Sprint("c", most-1), "operational"))
		want(f, "what was refused", f.acks(m, fmt.Sprint("c", most), "operational"), 0)
	})
}

// CONTROL dies when it has just started what it was given, before its bots receive it and the
// lease, and is back while MASTER is suspended. They are taken back, and may not begin: what they
// should serve is given to another (seed 2890 of TestFleetChaos).
func TestLeaseOfTheUngreeted(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
		own := f.withOwnMaster(2, leased)
		slow := f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{Boot: 500 * time.Millisecond} })
		a := f.add("m1", slow, sesame, mortal)
		f.add("m2", slow, sesame, mortal)
		f.must("its bots are started", time.Minute, f.running(a, 3))
		f.crash(a)
		f.net.Cut("m1", "master")
		f.pass(time.Duration(5+f.loop.Rand.IntN(20)) * time.Second)
		f.boot(a, sesame, mortal)
		f.must("given to the other", 4*time.Minute, func() bool { return own.saw("machine.replaced") == 1 && f.owned(24)() })
		f.net.Heal("m1", "master")
		f.pass(2 * time.Minute)
		want(f, "owned", f.owned(24)(), true)
		want(f, "identifies", f.identifies(), 24)
	})
}

// A lease runs out while a bot hangs, so that it takes its time to end. MASTER is back before that:
// what it grants then waits for the end, and is served.
func TestLeaseIsBackTooSoon(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		o := fencing(16, 16)
		m := f.alone(16, 16, o, nil)
		f.serve(m, "c", 0, 15)
		f.master.Change(func(o *mockmaster.Options) { o.AcksBeats = false })
		f.pass(15 * time.Second)
		f.processOf(m, "0").Signal(syscall.SIGSTOP)
		f.must("the lease runs out", 10*time.Second, f.sawN("lease.lost", 1))
		f.master.Change(func(o *mockmaster.Options) { o.AcksBeats = true })
		f.pass(6 * time.Second)
		want(f, "processes", len(m.Processes()), 1)
		f.serve(m, "again", 0, 15)
		want(f, "order.refused", f.saw("order.refused"), 0)
	})
}

// A MASTER stops using leases: its machines then serve on without hearing from it.
func TestLeaseIsNoMore(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		o := fencing(16, 16)
		m := f.alone(16, 16, o, nil)
		f.serve(m, "c", 0, 15)
		o.Initialise.LeaseMS = nil
		f.master.Change(func(o *mockmaster.Options) { o.AcksBeats = false })
		f.master.Send("m1", o.Initialise)
		f.pass(2 * time.Minute)
		want(f, "lease.lost", f.saw("lease.lost"), 0)
		want(f, "owned", f.owned(16)(), true)
	})
}

// However often a lease is renewed, its end is watched once.
func TestLeaseIsWatchedOnce(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(16, 16, fencing(16, 16), nil)
		f.serve(m, "c", 0, 15)
		f.pass(2 * time.Minute)
		looks := 0
		m.Panic = func(_ string, msg any) bool {
			if typeOf(msg) == "link.leaseDue" {
				looks++
			}
			return false
		}
		f.pass(10 * time.Second)
		if looks < 8 || looks > 25 { // those of the leases before end within a second
			f.t.Errorf("%d looks within ten seconds, want about ten", looks)
		}
	})
}
