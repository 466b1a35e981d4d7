package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/rules"
)

// A silent MASTER is given up after ten seconds. Where a panic loses its packet, or that timer,
// there are ten more; where it loses the answer to a dial there is another dial a second later.
func TestLinkRecovers(t *testing.T) {
	for message, c := range map[string]struct {
		least, within time.Duration
		done          func(f *fleet) bool
	}{
		"nothing": {9 * time.Second, 11 * time.Second, func(f *fleet) bool {
			return f.saw("master.unreachable") == 1
		}},
		"link.Timeout": {19 * time.Second, 21 * time.Second, func(f *fleet) bool {
			return f.saw("master.unreachable") == 1
		}},
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
				f.pass(c.least)
				want(f, "too soon", c.done(f), false)
				f.must("it goes on", c.within-c.least, func() bool { return c.done(f) })
			})
		})
	}
}

// CONTROL is suspended between two dials, and an operator's order to accept MASTER waits for it
// with the timer of the next: it dials once.
func TestDialsOnce(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.add("m1", f.good(nil))
		f.must("no machine is there", time.Minute, f.sawN("master.unreachable", 1))
		tries := len(f.dials)
		m.Freeze(10 * time.Minute)
		f.system.Root.Send(m.root, messages.AcceptMaster{})
		f.pass(10 * time.Minute)
		f.pass(100 * time.Millisecond)
		want(f, "dials", len(f.dials)-tries, 1)
	})
}

// However often MasterLink panics, which ends its link each time, it sends one heartbeat an
// interval.
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
		f.pass(2 * time.Minute)
		want(f, "panics", panics, 5)
		before := len(sent[messages.Heartbeat](f, m))
		f.pass(time.Minute)
		all := sent[messages.Heartbeat](f, m)
		if n := len(all) - before; n < 10 || n > 14 {
			f.t.Errorf("%d heartbeats within a minute, want about 12", n)
		}
		for i, b := range all {
			want(f, "seq", b.Seq, int64(i+1))
		}
	})
}

// An outdated MASTER is refused while more of its orders wait to be read: none of them is obeyed.
func TestOrdersBehindARefusal(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		now := initialise(16, 16)
		now.Epoch = 7
		m := f.alone(16, 16, ours(now), nil)
		m.Freeze(time.Second)
		then := now
		then.Epoch = 6
		f.master.Send("m1", then)
		f.connect(m, "c", 0, 15)
		f.pass(10 * time.Second)
		want(f, "refused", f.saw("master.refused"), 1)
		want(f, "processes", len(m.Processes()), 0)
	})
}

// A machine paces itself by MASTER's clock, which is hours ahead: as received at the beginning of
// the link, or with the answer to a heartbeat.
func TestSlotsByTheClockOfMaster(t *testing.T) {
	for _, greeted := range []bool{true, false} {
		t.Run(fmt.Sprint("greeted with it: ", greeted), func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				ahead := 3*time.Hour + time.Duration(f.loop.Rand.IntN(12000))*time.Millisecond
				clock := func() *messages.UnixMillis { return new(messages.At(time.Now().Add(ahead))) }
				o := ours(initialise(4, 1))
				o.SilentGreeting, o.AcksBeats = true, false
				o.Initialise.Machine = &messages.Place{Index: 1, Of: 2}
				f.withDiscord(rules.Config{ShardCount: 4})
				f.withMaster(o)
				m := f.add("m1", f.good(nil))
				f.must("the link", time.Second, func() bool { return f.master.Link("m1") != nil })
				if greeted {
					o.Initialise.Now = clock()
				}
				f.master.Send("m1", o.Initialise)
				if !greeted {
					f.must("a heartbeat", 10*time.Second, func() bool { return len(sent[messages.Heartbeat](f, m)) > 0 })
					f.master.Send("m1", messages.HeartbeatAck{Seq: 1, Now: clock()})
					f.pass(time.Second)
				}
				f.serve(m, "c", 0, 3)
				for _, s := range f.discord.Rules.Score().Shards {
					into := s.IdentifyAt[0].Add(ahead).Sub(time.Unix(0, 0)) % (12 * time.Second)
					if into < 6*time.Second || into > 7*time.Second {
						f.t.Errorf("shard %d identified %v into two slots, want the second one's first", s.Shard, into)
					}
				}
			})
		})
	}
}
