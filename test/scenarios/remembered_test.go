package scenarios

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/mockmaster"
)

// written is more time than the disk takes to save the last message.
const written = 200 * time.Millisecond

// again crashes a machine's CONTROL and starts it again, and waits for the n-th link.
func (f *fleet) again(m *machine, n int) {
	f.t.Helper()
	f.pass(written)
	f.crash(m)
	f.pass(time.Second) // MASTER has noticed
	f.boot(m)
	f.must("linked again", 5*time.Second, f.sawN("master.linked", n))
}

// isHalted reports whether the machine was halted when it was linked last.
func (f *fleet) isHalted() bool {
	f.t.Helper()
	return last[messages.MasterLinked](f).Halted
}

// A machine is halted while it serves nothing, and CONTROL dies. Every later run serves nothing
// with that token, until MASTER has another one: from then on it is a token like others.
func TestHaltOutlivesControl(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		for _, refused := range []messages.Secret{"another-token", token} { // one halt hides no other
			h := messages.Halt{Code: 4014, Token: refused.Fingerprint(), Epoch: 1}
			f.master.Send("m1", messages.Shutdown{Halt: &h})
		}
		f.must("halted", time.Second, f.sawN("fleet.halted", 2))
		f.again(m, 2)
		want(f, "halted", f.isHalted(), true)
		f.connect(m, "c", 0, 0)
		f.refused(m, "connect", "halted: Discord refused this token")
		f.master.Change(func(o *mockmaster.Options) { o.Initialise.Token = "another-token" })
		f.net.Drop("m1", "master")
		f.must("linked by another token", 5*time.Second, f.sawN("master.linked", 3))
		want(f, "halted with another token", f.isHalted(), false)
		f.master.Change(func(o *mockmaster.Options) { o.Initialise.Token = token })
		f.again(m, 4)
		want(f, "halted", f.isHalted(), false)
		f.serve(m, "d", 0, 0)
	})
}

// An operator ends the halt, and CONTROL dies: the next run is not halted, though a MASTER that was
// away demands it.
func TestResumeOutlivesControl(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		h := messages.Halt{Code: 4014, Token: token.Fingerprint(), Epoch: 1}
		f.master.Send("m1", messages.Shutdown{Halt: &h})
		f.must("halted", time.Second, f.sawN("fleet.halted", 1))
		f.commands(m, "r", messages.CommandResumeFleet, h)
		f.must("resumed", time.Second, f.ended(m, "r", ""))
		older, other := h, h
		older.Epoch, other.Token = 0, "another's"
		f.commands(m, "older", messages.CommandResumeFleet, older) // these change nothing
		f.commands(m, "other", messages.CommandResumeFleet, other)
		f.must("heard", time.Second, f.ended(m, "other", ""))
		f.again(m, 2)
		want(f, "halted", f.isHalted(), false)
		f.master.Send("m1", messages.Shutdown{ID: "old", Halt: &h})
		f.must("shut down", time.Second, f.acked(m, "old", "stopped"))
		f.serve(m, "c", 0, 0)
		want(f, "halts", f.saw("fleet.halted"), 1)
	})
}

// An operator accepts an outdated MASTER while there is none, and CONTROL dies before it comes: it
// is obeyed all the same. It ends the halt that the MASTER before it had ordered.
func TestAcceptOutlivesControl(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		now := initialise(1, 1)
		now.Epoch = 7
		m := f.alone(1, 1, ours(now), nil, withStatus)
		h := messages.Halt{Code: 4014, Token: token.Fingerprint(), Epoch: 7}
		f.master.Send("m1", messages.Shutdown{Halt: &h})
		f.must("halted", time.Second, f.sawN("fleet.halted", 1))
		now.Epoch = 6
		f.master.Change(func(o *mockmaster.Options) { o.Initialise, o.SilentGreeting = now, true })
		f.net.Drop("m1", "master")
		f.must("lost", 5*time.Second, f.sawN("master.lost", 1))
		want(f, "accepted", f.orders(m, messages.AcceptMaster{}).Refusal, "")
		f.pass(written)
		f.crash(m)
		f.pass(time.Second) // MASTER has noticed
		f.master.Change(func(o *mockmaster.Options) { o.SilentGreeting = false })
		f.boot(m)
		f.must("linked again", 5*time.Second, f.sawN("master.linked", 2))
		want(f, "refused", f.saw("master.refused"), 0)
		h.Epoch = 6
		f.commands(m, "r", messages.CommandResumeFleet, h)
		f.must("resumed", time.Second, f.ended(m, "r", ""))
		f.serve(m, "c", 0, 0)
	})
}

// CONTROL's memory cannot be read for a minute. It tries again and again, ever less often, and is
// linked at most half a minute after it can be read.
func TestMemoryThatCannotBeRead(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		f.crash(m)
		tries := 0
		m.ReadErr = func(name string) error {
			if name == "link.json" {
				tries++
			}
			return syscall.EIO
		}
		f.boot(m)
		f.pass(time.Minute)
		if tries < 4 || tries > 10 {
			f.t.Errorf("%d tries within a minute", tries)
		}
		m.ReadErr = nil
		f.must("linked", 36*time.Second, f.sawN("master.linked", 2))
	})
}

// What is served is remembered, with the order that it is served by: CONTROL dies while MASTER is
// away, and the next run goes on with it.
func TestServedOutlivesControl(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(48, 16, ours(initialise(48, 16)), nil)
		f.serve(m, "c", 0, 15)
		i := initialise(48, 16)
		f.serve(m, "d", 16, 31)
		i.Epoch = 2
		f.master.Change(func(o *mockmaster.Options) { o.Initialise = i })
		f.master.Send("m1", i)
		f.serve(m, "e", 32, 47)
		f.connect(m, "d again", 16, 31) // from now on by this order
		f.must("confirmed", time.Second, f.acked(m, "d again", "operational"))
		f.pass(written)
		processes := f.pids(m)
		f.crash(m)
		f.net.Cut("m1", "master")
		f.boot(m)
		f.must("taken back", 10*time.Second, f.sawN("cluster.adopted", 3))
		f.pass(20 * time.Second)
		want(f, "its processes", f.pids(m), processes)
		f.net.Heal("m1", "master")
		f.must("linked again", time.Minute, f.sawN("master.linked", 2))
		f.pass(time.Second)
		all := sent[messages.Info](f, m)
		epochs := ""
		for _, r := range all[len(all)-1].Ranges {
			epochs += fmt.Sprintf("%s by %d ", r.Range, r.Epoch)
		}
		want(f, "served", epochs, "0-15 by 1 16-31 by 2 32-47 by 2 ")
		used := len(all[len(all)-1].LastIdentify)
		want(f, "buckets of which MASTER hears when they were used", used, 16)
		want(f, "identifies", f.identifies(), 48)
	})
}

// MASTER restarts beside what is served, and CONTROL dies: the MASTER before is an outdated one.
func TestEpochOutlivesControl(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		i := initialise(16, 16)
		m := f.alone(16, 16, ours(i), nil)
		f.serve(m, "c", 0, 15)
		i.Epoch = 7
		f.master.Send("m1", i)
		f.pass(written)
		f.crash(m)
		f.pass(time.Second) // MASTER has noticed
		f.boot(m)
		f.must("the refusal", 5*time.Second, f.sawN("master.refused", 1))
		want(f, "code", last[messages.MasterRefusedUs](f).CloseCode, messages.CloseStaleEpoch)
	})
}

// CONTROL's instance is remembered before MASTER sends anything: the next run is no other CONTROL.
func TestInstanceOutlivesControl(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		o := ours(initialise(1, 1))
		o.SilentGreeting = true
		f.withMaster(o)
		m := f.add("m1", f.good(nil))
		var instances [2]string
		for run := range instances {
			f.must("the link", time.Second, func() bool { return f.master.Link("m1") != nil })
			instances[run] = f.master.Greeting("m1").Instance
			f.pass(written)
			f.crash(m)
			f.pass(time.Second) // MASTER has noticed
			f.boot(m)
		}
		want(f, "the instance of the next run", instances[1], instances[0])
		want(f, "its length", len(instances[0]), 32)
	})
}

// An older CONTROL remembered what it served without the orders for it: they count as the newest.
func TestServedByAnOlderControl(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(16, 16, ours(initialise(16, 16)), nil)
		f.serve(m, "c", 0, 15)
		f.pass(written)
		f.crash(m)
		f.pass(time.Second) // MASTER has noticed
		m.Damage("link.json", []byte(strings.Replace(m.File("link.json"), `"epochs"`, `"unknown"`, 1)))
		f.boot(m)
		f.must("taken back", 10*time.Second, f.sawN("cluster.adopted", 1))
		f.pass(time.Second)
		all := sent[messages.Info](f, m)
		want(f, "by the order of", all[len(all)-1].Ranges[0].Epoch, 1)
	})
}

// CONTROL is stopped in order: the next run serves nothing before it is ordered to.
func TestNothingOutlivesAnOrderedStop(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(16, 16, ours(initialise(16, 16)), nil)
		f.serve(m, "c", 0, 15)
		f.stopControl(m)
		f.pass(time.Second) // MASTER has noticed
		f.boot(m)
		f.must("linked again", 5*time.Second, f.sawN("master.linked", 2))
		f.pass(time.Minute)
		all := sent[messages.Info](f, m)
		want(f, "served", rangesOf(all[len(all)-1]), "")
		want(f, "processes", len(m.Processes()), 0)
	})
}

// The clocks were wrong when the epoch was obeyed that lies in MASTER's future. What is served is
// by no order of that epoch any more, in whatever MASTER receives from now on.
func TestEpochOfTheFuture(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		i := initialise(16, 16)
		i.Epoch = time.Now().Add(24 * time.Hour).UnixMilli()
		m := f.alone(16, 16, ours(i), nil)
		f.serve(m, "c", 0, 15)
		f.pass(time.Second)
		i.Epoch, i.Now = time.Now().UnixMilli(), new(messages.At(time.Now()))
		before := len(sent[messages.Info](f, m))
		f.master.Send("m1", i)
		f.pass(10 * time.Second)
		want(f, "refused", f.saw("master.refused"), 0)
		all := sent[messages.Info](f, m)[before:]
		want(f, "it is reported", len(all) > 0, true)
		for _, info := range all {
			for _, r := range info.Ranges {
				want(f, "by an order of before", r.Epoch > i.Epoch, false)
			}
		}
	})
}
