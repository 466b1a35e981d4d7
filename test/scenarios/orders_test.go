package scenarios

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/mockmaster"
	"github.com/discluster/control/transport/discord/rules"
)

// refused waits for the next refusal of an order, to the operator and to MASTER, and checks its
// reason.
func (f *fleet) refused(m *machine, order, why string) {
	f.t.Helper()
	errors := len(sent[messages.MasterError](f, m))
	f.must("a refusal", time.Second, func() bool { return len(sent[messages.MasterError](f, m)) > errors })
	e := last[messages.OrderRefused](f)
	if e.Order != order || !strings.Contains(e.Err, why) {
		f.t.Fatalf("refused %s: %q, want %s: %q", e.Order, e.Err, order, why)
	}
	all := sent[messages.MasterError](f, m)
	if got := all[len(all)-1]; got.Kind != "order.refused" || !strings.Contains(got.Message, why) {
		f.t.Fatalf("MASTER heard %+v", got)
	}
}

// An order that cannot be obeyed is refused with its reason, to both sides, and the rest is
// unharmed.
func TestConnectThatCannotBe(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(40, 1, ours(initialise(40, 1)), nil)
		f.serve(m, "good", 0, 9)
		for _, c := range []struct {
			first, last int
			why         string
		}{
			{30, 40, "shard_count is 40"},
			{40, 49, "shard_count is 40"},
			{5, 14, "overlaps 0-9"},
			{0, 8, "overlaps 0-9"},
			{0, 19, "overlaps 0-9"},
		} {
			f.connect(m, "", c.first, c.last)
			f.refused(m, "connect", c.why)
		}
		f.connect(m, "half", 10, 14) // an unaligned end is a shorter cluster
		f.must("the half", time.Second, f.acked(m, "half", "connecting"))
		f.connect(m, "rest", 15, 19) // the rest of that cluster cannot have the same id
		f.refused(m, "connect", "not aligned to whole clusters of 10")
		f.must("an answer by its id", time.Second, func() bool {
			return slices.ContainsFunc(sent[messages.Ack](f, m), func(a messages.Ack) bool { return a.ID == "rest" && a.Error != "" && !*a.OK })
		})
		want(f, "processes", len(m.Processes()), 2)
	})
}

// A connect before initialise is refused, and obeyed when it comes again after it.
func TestConnectBeforeInitialise(t *testing.T) {
	seeds(t, func(f *fleet) {
		o := ours(initialise(2, 1))
		o.SilentGreeting = true
		f.withDiscord(rules.Config{})
		f.withMaster(o)
		m := f.add("m1", f.good(nil))
		f.must("the link", time.Second, func() bool { return f.master.Link("m1") != nil })
		f.connect(m, "early", 0, 1)
		f.refused(m, "connect", "before initialise")
		want(f, "processes", len(m.Processes()), 0)
		f.master.Send("m1", o.Initialise)
		f.connect(m, "early", 0, 1)
		f.must("it is obeyed", time.Second, f.acked(m, "early", "connecting"))
	})
}

// Upstream as shipped does not send shard_count: the link stays, and a connect is answered with
// what is missing.
func TestNoShardCount(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(2, 1, mockmaster.Upstream(token), nil)
		f.connect(m, "", 0, 1)
		f.refused(m, "connect", "did not send shard_count")
		f.pass(time.Minute)
		want(f, "links", f.saw("master.linked"), 1)
		want(f, "lost", f.saw("master.lost"), 0)
	})
}

// An initialise that cannot be obeyed ends the link, loudly and once, and the link is tried again
// in 30 s.
func TestInitialiseThatCannotBe(t *testing.T) {
	for name, story := range map[string]struct {
		raw    string
		change func(*actors.Options)
		why    string
	}{
		"no shards": {raw: `{"o":5,"d":{"token":"` + token.Reveal() + `","shard_count":0}}`, why: "shard_count 0"},
		"no token":  {raw: `{"o":5,"d":{"shard_count":2}}`, why: "token missing"},
		"another cluster": {raw: `{"o":5,"d":{"token":"` + token.Reveal() + `","shard_count":20,"shards_per_cluster":5}}`, why: "shards_per_cluster: MASTER has 5, but cluster.shards_per_cluster here is 4",
			change: func(o *actors.Options) { o.Cluster.ShardsPerCluster = 4 }},
	} {
		t.Run(name, func(t *testing.T) {
			seeds(t, func(f *fleet) {
				f.withMaster(mockmaster.Options{SilentGreeting: true})
				if story.change == nil {
					story.change = func(*actors.Options) {}
				}
				f.add("m1", f.good(nil), story.change)
				for f.loop.Now() < 3*time.Minute {
					if l := f.master.Link("m1"); l != nil {
						_ = l.Send([]byte(story.raw))
					}
					f.pass(time.Second)
				}
				want(f, "reported", f.saw("master.refused"), 1)
				if got := last[messages.MasterRefusedUs](f).Err; !strings.Contains(got, story.why) {
					f.t.Fatalf("refused: %q, want %q", got, story.why)
				}
				f.patient(3 * time.Second)
			})
		})
	}
}

// An outdated MASTER, from a backup or a partition, is not obeyed: its link is closed with 4007.
func TestStaleEpoch(t *testing.T) {
	seeds(t, func(f *fleet) {
		now := initialise(2, 1)
		now.Epoch = 7
		m := f.alone(2, 1, ours(now), nil)
		f.serve(m, "c", 0, 1)
		then := now
		then.Epoch = 6
		f.master.Send("m1", then)
		f.must("the refusal", time.Second, f.sawN("master.refused", 1))
		want(f, "code", last[messages.MasterRefusedUs](f).CloseCode, messages.CloseStaleEpoch)
		f.pass(time.Minute)
		want(f, "linked to the right one again", f.saw("master.linked"), 2)
		want(f, "identifies", f.identifies(), 2)
		then.Epoch = 8
		f.master.Send("m1", then)
		f.must("a newer one is obeyed", time.Second, func() bool {
			all := sent[messages.Info](f, m)
			return all[len(all)-1].Epoch == 8
		})
	})
}

// The epoch that was obeyed outlives CONTROL.
func TestStaleEpochAfterARestart(t *testing.T) {
	seeds(t, func(f *fleet) {
		now := initialise(2, 1)
		now.Epoch = 7
		m := f.alone(2, 1, ours(now), nil)
		f.pass(time.Second)
		f.powerOff(m)
		f.pass(time.Second)
		now.Epoch = 6
		f.master.Change(func(o *mockmaster.Options) { o.Initialise = now })
		f.boot(m)
		f.must("the refusal", time.Second, f.sawN("master.refused", 1))
	})
}

// A repeated connect is answered with its current state, and an order whose id was answered with
// its answer.
func TestOrdersTwice(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(20, 1, ours(initialise(20, 1)), nil)
		f.connect(m, "c", 0, 9)
		f.connect(m, "c", 0, 9)
		f.must("connecting", time.Second, f.acked(m, "c", "connecting"))
		f.connect(m, "c", 0, 9)
		f.must("connecting again", time.Second, func() bool { return f.acks(m, "c", "connecting") >= 2 })
		want(f, "refused", f.saw("order.refused"), 0)
		f.must("operational", 2*time.Minute, f.acked(m, "c", "operational"))
		f.connect(m, "another id", 0, 9)
		f.must("operational at once", time.Second, f.acked(m, "another id", "operational"))
		want(f, "ranges", len(sent[messages.Info](f, m)[0].Ranges), 0)
		for _, info := range sent[messages.Info](f, m)[1:] {
			want(f, "ranges", len(info.Ranges), 1)
		}
		for range 3 {
			f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 0, Last: 9}})
		}
		f.must("released", 10*time.Second, f.acked(m, "o", "released"))
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 0, Last: 9}})
		f.must("released again", time.Second, func() bool { return f.acks(m, "o", "released") == 2 })
		want(f, "refused", f.saw("order.refused"), 0)
		want(f, "identifies", f.identifies(), 10)
	})
}

// A spare runs nothing (I4), reports so, and serves when ordered.
func TestSpare(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(20, 16, ours(initialise(20, 16)), nil)
		m.spare = true
		f.master.Send("m1", messages.Connect{ID: "r", Redundant: true})
		f.must("standby", time.Second, f.acked(m, "r", "standby"))
		f.pass(5 * time.Minute)
		m.spare = false
		f.serve(m, "c", 0, 19)
		f.master.Send("m1", messages.Connect{ID: "r2", Redundant: true})
		f.refused(m, "connect", "1 ranges are served here")
		want(f, "owned", f.owned(20)(), true)
	})
}

// Offload ends whole clusters and nothing else.
func TestOffload(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(64, 16, ours(initialise(64, 16)), nil)
		f.serve(m, "c", 0, 63)
		for _, r := range []messages.ShardRange{{First: 0, Last: 8}, {First: 8, Last: 31}, {First: 20, Last: 24}, {First: 64, Last: 79}} {
			f.master.Send("m1", messages.Offload{ID: "bad" + r.String(), Range: r})
			f.refused(m, "offload", "want whole clusters")
		}
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 16, Last: 47}})
		f.must("released", 10*time.Second, f.acked(m, "o", "released"))
		want(f, "processes", len(m.Processes()), 2)
		f.pass(time.Second)
		want(f, "owned", f.owned(32)(), true)
		all := sent[messages.Info](f, m)
		want(f, "ranges served", rangesOf(all[len(all)-1]), "0-15 operational, 48-63 operational")
		f.connect(m, "back", 16, 31)
		f.must("back", time.Minute, f.acked(m, "back", "operational"))
		want(f, "owned", f.owned(48)(), true)
		want(f, "identifies", f.identifies(), 64) // what was offloaded kept its sessions
		want(f, "wrong answers", f.acks(m, "bad0-8", "released")+f.acks(m, "bad64-79", "released"), 0)
	})
}

// Offload of a starting range cancels it; connect behind it waits its turn.
func TestOffloadOfAStart(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(20, 1, ours(initialise(20, 1)), nil)
		r := messages.ShardRange{First: 0, Last: 19}
		f.connect(m, "c", 0, 19)
		f.pass(time.Duration(f.loop.Rand.IntN(12000)) * time.Millisecond)
		f.master.Send("m1", messages.Offload{ID: "o", Range: r})
		f.connect(m, "again", 0, 9)
		f.must("released", 20*time.Second, f.acked(m, "o", "released"))
		f.must("served again", 2*time.Minute, f.acked(m, "again", "operational"))
		want(f, "refused", f.saw("order.refused"), 0)
		want(f, "processes", len(m.Processes()), 1)
	})
}

// Shutdown stops everything, the link stays, and a connect that arrives during it waits for it.
func TestShutdown(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(32, 16, ours(initialise(32, 16)), nil)
		f.serve(m, "c", 0, 31)
		f.master.Send("m1", messages.Shutdown{ID: "s", Reason: "maintenance"})
		f.must("stopped", 20*time.Second, f.acked(m, "s", "stopped"))
		want(f, "processes", len(m.Processes()), 0)
		f.pass(5 * time.Minute)
		want(f, "identifies", f.identifies(), 32)
		want(f, "links", f.saw("master.linked"), 1)
		f.master.Send("m1", messages.Shutdown{ID: "s"})
		f.must("stopped, from memory", time.Second, func() bool { return f.acks(m, "s", "stopped") == 2 })
		f.serve(m, "c2", 0, 31)
		f.master.Send("m1", messages.Shutdown{ID: "s2"})
		f.master.Send("m1", messages.Shutdown{ID: "s3"})
		f.connect(m, "c3", 0, 15)
		f.must("both stopped", 20*time.Second, func() bool { return f.acks(m, "s2", "stopped") == 1 && f.acks(m, "s3", "stopped") == 1 })
		f.must("and then served", time.Minute, f.acked(m, "c3", "operational"))
	})
}

// A shutdown in the middle of a start leaves nothing.
func TestShutdownOfAStart(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(40, 1, ours(initialise(40, 1)), nil)
		f.connect(m, "c", 0, 39)
		f.pass(time.Duration(f.loop.Rand.IntN(8000)) * time.Millisecond)
		f.master.Send("m1", messages.Shutdown{ID: "s"})
		f.must("stopped", 20*time.Second, f.acked(m, "s", "stopped"))
		want(f, "processes", len(m.Processes()), 0)
		f.pass(time.Minute)
		want(f, "owned", f.owned(0)(), true)
	})
}
