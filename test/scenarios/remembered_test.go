package scenarios

import (
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/mockmaster"
)

// written is more time than the disk takes for what was just heard.
const written = 200 * time.Millisecond

// again crashes a machine's CONTROL and starts it anew, and waits for the n-th link.
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

// A machine is halted while it serves nothing, and CONTROL dies. Whatever life comes next serves
// nothing with that token, until MASTER has another one: from then on it is a token like others.
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

// An operator ends the halt, and CONTROL dies: the next life is not halted, though a MASTER that was
// away says so.
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

// An operator accepts a MASTER of the past while there is none, and CONTROL dies before it comes: it
// is obeyed all the same. It ends the halt that was said by the MASTER before it.
func TestAcceptOutlivesControl(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		now := initialise(1, 1)
		now.Epoch = 7
		m := f.alone(1, 1, ours(now), nil, withDesk)
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

// What CONTROL is to remember cannot be read for a minute. It tries again and again, ever less
// often, and is linked half a minute after it can be, at most.
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

// A panic of ours takes the answer to a dial: there is another dial a second later. Or it takes a
// word of a MASTER that says nothing more: its link is given up after the usual time.
func TestLinkRecovers(t *testing.T) {
	for message, c := range map[string]struct {
		least, within time.Duration
		done          func(f *fleet) bool
	}{
		"actors.linkOpened": {900 * time.Millisecond, 3 * time.Second, func(f *fleet) bool {
			return len(f.dials) == 2
		}},
		"actors.linkFrame": {9 * time.Second, 15 * time.Second, func(f *fleet) bool {
			return f.saw("master.unreachable") == 1
		}},
	} {
		t.Run(message, func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				f.panics = true
				o := ours(initialise(1, 1))
				o.SilentGreeting = true
				f.withMaster(o)
				m := f.add("m1", f.good(nil))
				lost := false
				m.Panic = func(actor string, msg any) bool {
					first := !lost && actor == "masterlink" && typeOf(msg) == message
					lost = lost || first
					return first
				}
				f.must("the link", time.Second, func() bool { return f.master.Link("m1") != nil })
				f.master.Send("m1", messages.HeartbeatAck{})
				f.must("a message is lost", time.Second, func() bool { return lost })
				f.pass(c.least)
				want(f, "too soon", c.done(f), false)
				f.must("it goes on", c.within-c.least, func() bool { return c.done(f) })
			})
		})
	}
}

// CONTROL sleeps between two dials, and an operator's order to accept MASTER waits for it with the
// timer of the next: it dials once.
func TestDialsOnce(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.add("m1", f.good(nil))
		f.must("nobody is there", time.Minute, f.sawN("master.unreachable", 1))
		tries := len(f.dials)
		m.Freeze(10 * time.Minute)
		f.system.Root.Send(m.root, messages.AcceptMaster{})
		f.pass(10 * time.Minute)
		f.pass(100 * time.Millisecond)
		want(f, "dials", len(f.dials)-tries, 1)
	})
}

// However often MasterLink panics, it sends one heartbeat an interval.
func TestBeatsOnce(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.panics = true
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		panics := 0
		m.Panic = func(actor string, msg any) bool {
			more := panics < 5 && actor == "masterlink" && typeOf(msg) == "actors.linkFrame"
			if more {
				panics++
			}
			return more
		}
		f.pass(time.Minute)
		want(f, "panics", panics, 5)
		before := len(said[messages.Heartbeat](f, m))
		f.pass(time.Minute)
		if n := len(said[messages.Heartbeat](f, m)) - before; n < 10 || n > 14 {
			f.t.Errorf("%d heartbeats within a minute, want about 12", n)
		}
	})
}
