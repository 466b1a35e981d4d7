package scenarios

import (
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/mockmaster"
)

// patient checks the waits between dials: 30 s ± 10 %, and as long as the attempt itself took.
func (f *fleet) patient(attempt time.Duration) {
	f.t.Helper()
	for i, at := range f.dials[1:] {
		if wait := at - f.dials[i]; wait < 27*time.Second || wait > 33*time.Second+attempt {
			f.t.Fatalf("dial %d came %v after the one before it", i+1, wait)
		}
	}
}

// No MASTER listens: dialled every 30 s, reported once; stopping waits for nothing.
func TestMasterUnreachable(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.add("m1", f.good(nil))
		f.pass(10 * time.Minute)
		if n := len(f.dials); n < 18 || n > 23 {
			f.t.Fatalf("%d dials in 10 minutes", n)
		}
		f.patient(time.Second)
		want(f, "reported", f.saw("master.unreachable"), 1)
		if took := f.stopControl(m); took > 10*time.Millisecond {
			f.t.Fatalf("stopping took %v", took)
		}
	})
}

// A MASTER that comes late is found by the next dial.
func TestMasterComesLate(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.add("m1", f.good(nil))
		f.pass(100 * time.Second)
		f.withMaster(ours(initialise(2, 1)))
		f.must("the link", 34*time.Second, f.sawN("master.linked", 1))
	})
}

// MASTER refuses by a close frame after the handshake: one loud line, then the usual waits.
func TestMasterRefuses(t *testing.T) {
	for name, story := range map[string]struct {
		master mockmaster.Options
		change func(*actors.Options)
		code   int
	}{
		"another authorization": {mockmaster.Options{Authorization: "right"}, func(o *actors.Options) { o.Master.Authorization = "wrong" }, messages.CloseUnauthorised},
		"no source":             {mockmaster.Options{}, func(o *actors.Options) { o.Master.Source = "" }, messages.CloseMalformedRequest},
	} {
		t.Run(name, func(t *testing.T) {
			seeds(t, func(f *fleet) {
				f.withMaster(story.master)
				f.add("m1", f.good(nil), story.change)
				f.pass(5 * time.Minute)
				f.patient(time.Second)
				want(f, "reported", f.saw("master.refused"), 1)
				want(f, "code", last[messages.MasterRefusedUs](f).CloseCode, story.code)
				want(f, "other complaints", f.saw("master.unreachable")+f.saw("master.lost"), 0)
			})
		})
	}
}

// Upstream's MASTER forgets no source: after any loss of the link it refuses forever. What is
// served goes on.
func TestUpstreamRefusesAReconnect(t *testing.T) {
	seeds(t, func(f *fleet) {
		o := mockmaster.Upstream(token)
		o.Initialise.ShardCount = new(2)
		m := f.alone(2, 1, o, nil)
		f.serve(m, "", 0, 1)
		f.net.Cut("m1", "master")
		f.must("the loss", 30*time.Second, f.sawN("master.lost", 1))
		f.net.Heal("m1", "master")
		f.pass(5 * time.Minute)
		want(f, "reported", f.saw("master.refused"), 1)
		want(f, "code", last[messages.MasterRefusedUs](f).CloseCode, messages.CloseAlreadyConnected)
		want(f, "owned", f.owned(2)(), true)
		want(f, "identifies", f.identifies(), 2)
	})
}

// MASTER considered this CONTROL dead: back at once. A newer link of the same CONTROL exists: not
// for a minute.
func TestMasterClosesALinkThatWasUp(t *testing.T) {
	for name, story := range map[string]struct {
		code        int
		least, most time.Duration
		event       string
	}{
		"dead":       {messages.CloseDead, 0, 500 * time.Millisecond, "master.lost"},
		"superseded": {messages.CloseSuperseded, time.Minute, time.Minute + 500*time.Millisecond, "master.refused"},
		"by itself":  {1001, 0, 500 * time.Millisecond, "master.lost"},
	} {
		t.Run(name, func(t *testing.T) {
			seeds(t, func(f *fleet) {
				f.alone(2, 1, ours(initialise(2, 1)), nil)
				f.pass(time.Minute)
				closed := f.loop.Now()
				f.master.Link("m1").Close(story.code, name)
				f.must("the next link", 2*time.Minute, f.sawN("master.linked", 2))
				if wait := f.dials[1] - closed; wait < story.least || wait > story.most {
					f.t.Fatalf("dialled %v after close %d", wait, story.code)
				}
				want(f, story.event, f.saw(story.event), 1)
			})
		})
	}
}

// A MASTER that greets and dies at once, again and again, is not dialled in a loop.
func TestMasterGreetsAndDies(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.alone(2, 1, ours(initialise(2, 1)), nil)
		for f.loop.Now() < 10*time.Minute {
			if l := f.master.Link("m1"); l != nil {
				l.Close(1011, "crash")
			}
			f.pass(100 * time.Millisecond)
		}
		if n := len(f.dials); n > 30 {
			f.t.Fatalf("%d dials in 10 minutes", n)
		}
	})
}

// After a link that had been up: at once, then 1, 2, 4, 8, 16, 30 s.
func TestMasterGone(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.master = mockmaster.New(ours(initialise(2, 1)))
		stop := f.listen(f.master)
		f.add("m1", f.good(nil))
		f.must("the link", time.Minute, f.sawN("master.linked", 1))
		f.pass(time.Minute)
		stop()
		f.master.Link("m1").Close(1001, "going away")
		f.must("eight dials", 5*time.Minute, func() bool { return len(f.dials) == 9 })
		for i, seconds := range []int{1, 2, 4, 8, 16, 30, 30} {
			wait, wanted := f.dials[i+2]-f.dials[i+1], time.Duration(seconds)*time.Second
			if wait < wanted*9/10 || wait > wanted*11/10+200*time.Millisecond {
				f.t.Fatalf("wait %d is %v, want %v", i, wait, wanted)
			}
		}
		want(f, "lost", f.saw("master.lost"), 1)
		want(f, "unreachable", f.saw("master.unreachable"), 1)
	})
}

// A peer that takes the link and sends nothing has 10 s.
func TestMasterSaysNothing(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withMaster(mockmaster.Options{SilentGreeting: true})
		f.add("m1", f.good(nil))
		f.must("the end of the patience", 11*time.Second, f.sawN("master.unreachable", 1))
		if at := f.loop.Now() - f.dials[0]; at < 10*time.Second {
			f.t.Fatalf("gave up after %v", at)
		}
		f.pass(5 * time.Minute)
		f.patient(11 * time.Second)
		want(f, "reported", f.saw("master.unreachable"), 1)
	})
}
