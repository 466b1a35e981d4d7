package scenarios

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// threeServe returns a machine with its own MASTER on which every shard is READY: 24 shards in 3
// clusters.
func (f *fleet) threeServe() (*machine, *ownMaster) {
	f.t.Helper()
	f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8})
	own := f.withOwnMaster(1)
	m := f.add("m1", f.good(nil), sesame)
	f.must("operational", 2*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
	f.pass(time.Second)
	return m, own
}

// findErr returns a reason why a search has no answer.
func (f *fleet) findErr() error { return sim.FindErrs[f.loop.Rand.IntN(len(sim.FindErrs))] }

// unreadable makes the files of clusters' processes unreadable.
func unreadable(name string) error {
	if strings.HasPrefix(name, "cluster-") {
		return syscall.EIO
	}
	return nil
}

// Bots that set their title, and so overwrite their environment, are taken back by pid and start
// time.
func TestAdoptsWhatSetItsTitle(t *testing.T) {
	seeds(t, func(f *fleet) {
		m, _ := f.threeServe()
		before := f.pids(m)
		for _, p := range m.Processes() {
			p.Wipe()
		}
		f.crash(m)
		f.pass(time.Duration(f.loop.Rand.IntN(10000)) * time.Millisecond)
		f.boot(m, sesame)
		f.must("adopted", 5*time.Second, f.sawN("cluster.adopted", 3))
		f.pass(time.Minute)
		want(f, "processes", f.pids(m), before)
		want(f, "identifies", f.identifies(), 24)
	})
}

// No search answers, or no record can be read, after CONTROL was killed. Nothing is started for
// that time, which is reported once a cluster. Then the live processes are taken back and the dead
// replaced.
func TestUnknownIsNotDead(t *testing.T) {
	seeds(t, func(f *fleet) {
		m, _ := f.threeServe()
		before := pids(m)
		f.crash(m)
		if f.loop.Rand.IntN(2) == 0 {
			m.FindErr = f.findErr()
		} else {
			m.ReadErr = unreadable
		}
		f.boot(m, sesame)
		f.pass(time.Duration(1+f.loop.Rand.IntN(600)) * time.Second)
		// the first may come before the witness listens
		want(f, "events", strings.Count(f.log.String(), `"message":"cluster.unknown"`), 3)
		want(f, "processes", len(pids(m)), 3)
		for id := range messages.ClusterID(3) {
			want(f, "state", f.state(m, id), messages.ClusterUnknown)
		}
		kills := f.loop.Rand.IntN(2) == 0
		if kills {
			f.processOf(m, "1").Signal(syscall.SIGKILL)
			f.pass(time.Minute)
			want(f, "processes", len(pids(m)), 2)
		}
		m.FindErr, m.ReadErr = nil, nil
		f.must("every shard READY in three processes", 50*time.Second, func() bool { return f.owned(24)() && len(pids(m)) == 3 && f.saw("cluster.adopted") >= 2 })
		kept := 0
		for pid := range pids(m) {
			if before[pid] {
				kept++
			}
		}
		want(f, "kept", kept == 3, !kills)
		// the first may come before the witness listens
		want(f, "events", strings.Count(f.log.String(), `"message":"cluster.unknown"`), 3)
	})
}

// Where the system cannot look for processes, one of an earlier run counts as dead: it cannot be
// waited for.
func TestWhereNothingCanBeFound(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m, _ := f.threeServe()
		f.crash(m)
		for _, p := range m.Processes() {
			p.Signal(syscall.SIGKILL)
		}
		f.must("they die", time.Second, f.running(m, 0))
		m.FindErr = fmt.Errorf("find: %w", errors.ErrUnsupported)
		f.boot(m, sesame)
		f.must("others are started", 10*time.Second, f.running(m, 3))
		m.FindErr = nil
		f.must("every shard READY", time.Minute, f.owned(24))
		// some before the witness listens
		want(f, "their ends are reported", strings.Count(f.log.String(), `"exit":"exit unknown"`), 3)
	})
}

// Orders while it is unknown whether a process is alive: nothing is started, and the orders are
// carried out once that is known.
func TestOrdersInDoubt(t *testing.T) {
	seeds(t, func(f *fleet) {
		m, _ := f.threeServe()
		f.crash(m)
		m.FindErr = f.findErr()
		f.boot(m, sesame)
		f.must("in doubt", 5*time.Second, f.sawN("cluster.unknown", 3))
		if f.loop.Rand.IntN(2) == 0 {
			f.processOf(m, "0").Signal(syscall.SIGKILL)
			f.processOf(m, "1").Signal(syscall.SIGKILL)
		}
		f.stop(m, 0)
		f.restart(m, 1)
		f.pass(time.Duration(f.loop.Rand.IntN(120)) * time.Second)
		starts := f.starts["0"] + f.starts["1"]
		want(f, "starts", starts, 2)
		m.FindErr = nil
		f.must("0 is stopped", 45*time.Second, func() bool { return f.state(m, 0) == messages.ClusterStopped && f.processOf(m, "0") == nil })
		f.must("1 serves", 45*time.Second, f.stateIs(m, 1, messages.ClusterServing))
		want(f, "starts of 0", f.starts["0"], 1)
		want(f, "starts of 1", f.starts["1"], 2)
	})
}

// A range is given back while it is unknown whether its processes live: MASTER gets no report of
// their end before they are gone.
func TestReleaseInDoubt(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(16, 8, ours(initialise(16, 8)), nil)
		f.serve(m, "c", 0, 15)
		f.pass(time.Second)
		f.crash(m)
		m.FindErr = f.findErr()
		f.boot(m)
		f.must("linked", time.Minute, f.sawN("master.linked", 2))
		f.must("in doubt", 5*time.Second, f.sawN("cluster.unknown", 2))
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 0, Last: 15}})
		f.pass(time.Duration(f.loop.Rand.IntN(100)) * time.Second)
		want(f, "released", f.acks(m, "o", "released"), 0)
		m.FindErr = nil
		f.must("released", time.Minute, func() bool { return f.acks(m, "o", "released") == 1 })
		want(f, "processes", len(pids(m)), 0)
	})
}

// A stop is ordered while no record can be read: what carries the mark of its cluster is ended, as
// gently as by its record. A process that hides its environment stays in doubt until its record can
// be read.
func TestStopWithoutRecords(t *testing.T) {
	seeds(t, func(f *fleet) {
		m, _ := f.threeServe()
		f.crash(m)
		m.ReadErr = unreadable
		hidden := f.loop.Rand.IntN(2) == 0
		if hidden {
			f.processOf(m, "1").Wipe()
		}
		f.boot(m, sesame)
		f.must("in doubt", 5*time.Second, f.sawN("cluster.unknown", 3))
		f.system.Root.Send(m.root, messages.Stop{Reason: "an operator's"})
		if hidden {
			f.must("the others end", 20*time.Second, func() bool { return len(m.Processes()) == 1 })
			f.pass(time.Minute)
			want(f, "CONTROL ended", m.gone, false)
			m.ReadErr = nil
		}
		f.must("CONTROL ends", 40*time.Second, func() bool { return m.gone })
		want(f, "processes", len(m.Processes()), 0)
	})
}

// Records are torn for good. What runs is found by its environment and ended, and another process
// started.
func TestTornRecords(t *testing.T) {
	seeds(t, func(f *fleet) {
		m, _ := f.threeServe()
		before := pids(m)
		f.crash(m)
		whole := m.File("cluster-1.json")
		torn := [][]byte{{}, []byte("{"), []byte(whole[:f.loop.Rand.IntN(len(whole)-1)]), make([]byte, 4096), []byte("null"), []byte("{}"),
			[]byte(`{"mark":{"pid":-1}}`), []byte(`{"mark":{"pid":1099511627776}}`)}
		m.Damage("cluster-1.json", torn[f.loop.Rand.IntN(len(torn))])
		m.FindErr = f.findErr()
		f.boot(m, sesame)
		f.pass(time.Duration(f.loop.Rand.IntN(100)) * time.Second)
		want(f, "processes", len(pids(m)), 3)
		m.FindErr = nil
		f.must("two are taken back", 40*time.Second, f.sawN("cluster.adopted", 2))
		f.must("every shard READY", time.Minute, func() bool { return f.owned(24)() && len(pids(m)) == 3 && f.starts["1"] == 2 })
		fresh := 0
		for pid := range pids(m) {
			if !before[pid] {
				fresh++
			}
		}
		want(f, "new processes", fresh, 1)
		want(f, "starts of cluster 1", f.starts["1"], 2)
		want(f, "it is reported", strings.Contains(last[messages.ClusterDied](f).Err, "its process has no record"), true)
	})
}

// The disk is full from the start, and CONTROL is killed: no process is doubled, and none is left
// of a range that is not assigned here.
func TestFullDiskAndADeath(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		m.DiskErr = sim.ErrDiskFull
		f.pass(time.Duration(f.loop.Rand.IntN(20000)) * time.Millisecond)
		f.crash(m)
		gone := f.loop.Rand.IntN(2) == 0
		if gone {
			own.Crash()
		}
		f.boot(m, sesame)
		if gone { // nothing is assigned to it
			f.must("nothing is left", 30*time.Second, func() bool { return len(m.Processes()) == 0 })
			return
		}
		f.must("every shard READY", 3*time.Minute, func() bool { return f.owned(24)() && len(m.Processes()) == 3 })
	})
}

// A bot that puts itself in the background: at most one copy, the cause is reported, it is given up
// by the rule, and nothing is left.
func TestBackground(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.envs(2, 2, func(string, int) fakecluster.Env { return fakecluster.Env{Background: true} }, environment(messages.ReadyRule{After: 30 * time.Second}))
		doubt := f.loop.Rand.IntN(2) == 0
		if doubt {
			f.must("it is started", time.Minute, func() bool { return f.starts["0"] == 1 })
			m.FindErr = f.findErr()
			f.pass(time.Minute)
			want(f, "starts", f.starts["0"], 1)
			want(f, "processes", len(m.Processes()), 1)
			m.FindErr = nil
		}
		f.must("it is given up", 10*time.Minute, f.stateIs(m, 0, messages.ClusterFailed))
		up := last[messages.ClusterGaveUp](f)
		want(f, "cause is reported", strings.Contains(up.Causes[len(up.Causes)-1], "in the background"), true)
		want(f, "processes", len(m.Processes()), 0)
		want(f, "starts", f.starts["0"], 4)
	})
}

// A helper in a session of its own outlives neither an ordered stop nor the next start.
func TestHelpers(t *testing.T) {
	seeds(t, func(f *fleet) {
		m, _ := f.threeServe()
		helper := func() {
			for _, p := range m.Processes() {
				p.Fork(func(*sim.Proc) {})
			}
			f.pass(time.Second)
			want(f, "processes", len(m.Processes()), 6)
		}
		helper()
		if f.loop.Rand.IntN(2) == 0 { // the bots die while CONTROL is away
			f.crash(m)
			for id := range 3 {
				f.processOf(m, messages.ClusterID(id).String()).Signal(syscall.SIGKILL)
			}
			f.pass(time.Second)
			f.boot(m, sesame)
		} else {
			f.processOf(m, "0").Signal(syscall.SIGKILL)
			f.processOf(m, "1").Signal(syscall.SIGKILL)
			f.stop(m, 2)
			f.must("2 is stopped", 20*time.Second, f.stateIs(m, 2, messages.ClusterStopped))
			f.restart(m, 2)
		}
		f.must("the helpers are gone", time.Minute, func() bool { return f.owned(24)() && len(m.Processes()) == 3 })
		helper() // and at the end of the story
	})
}

// CONTROL is killed in the middle of an ordered stop: the next one takes back what still runs, and
// no order is refused.
func TestStopIsInterrupted(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8})
		own := f.withOwnMaster(1)
		stays := f.loop.Rand.IntN(2) == 0 // its bots ignore requests to end, for a while
		m := f.add("m1", f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{IgnoreTerm: stays} }), sesame)
		f.must("operational", 2*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		f.pass(time.Second)
		before := f.pids(m)
		f.system.Root.Send(m.root, messages.Stop{Reason: "an operator's"})
		f.pass(time.Duration(f.loop.Rand.IntN(2000)) * time.Millisecond)
		if !m.gone {
			f.crash(m)
		}
		own.Crash()
		own.start()
		f.boot(m, sesame)
		f.pass(time.Minute)
		f.must("every shard READY", 10*time.Second, func() bool { return f.owned(24)() && len(m.Processes()) == 3 })
		want(f, "refused orders", f.saw("order.refused"), 0)
		if stays {
			want(f, "processes", f.pids(m), before)
		}
		want(f, "identifies", f.identifies(), 24)
	})
}
