package scenarios

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// talk makes Discord send an event to every shard, ten times a second, until stop.
func (f *fleet) talk() (stop func()) {
	var cancel func()
	var next func()
	next = func() {
		f.discord.Step(rules.Emit{Shard: rules.All})
		cancel = f.loop.After(100*time.Millisecond, next)
	}
	next()
	return func() { cancel() }
}

// roll orders a rolling restart.
func (f *fleet) roll(m *machine) {
	f.succeeds = true
	f.order(m, messages.RollingRestart{})
}

// rolls returns a condition: the last report of a rolling restart has a state.
func (f *fleet) rolls(state string) func() bool {
	return func() bool {
		all := events[messages.RollingRestartMoved](f)
		return len(all) > 0 && all[len(all)-1].State == state
	}
}

// Every cluster gets a new process, one after another, while Discord talks: no identify, no event
// lost, none doubled, and never two clusters down at once.
func TestRollingRestart(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(40, 10, ours(initialise(40, 10)), nil)
		f.serve(m, "c", 0, 39)
		stop := f.talk()
		before := pids(m)
		f.pass(5 * time.Second)
		f.roll(m)
		f.must("done", time.Minute, func() bool {
			if owned := f.discord.Rules.Counts().Owned; owned < 30 {
				f.t.Fatalf("%d shards have an owner: more than one cluster is down", owned)
			}
			return f.rolls("done")()
		})
		stop()
		f.pass(5 * time.Second)
		want(f, "owned", f.owned(40)(), true)
		want(f, "identifies", f.identifies(), 40)
		want(f, "processes", len(m.Processes()), 4)
		for pid := range pids(m) {
			want(f, "an old process", before[pid], false)
		}
		e := f.discord.Rules.Counts().Events
		want(f, "lost", e.Lost, 0)
		want(f, "doubled", e.Doubled, 0)
		want(f, "deaths", f.saw("cluster.died"), 0)
	})
}

// The second cluster's new process does not come up: the roll stops there, and every old process
// but the first goes on serving.
func TestRollingRestartStops(t *testing.T) {
	for name, bad := range map[string]fakecluster.SDK{
		"exits at once":        {ExitAfter: 1, ExitCode: 1},
		"never opens a socket": {NeverListen: true},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				m := f.aloneWith(rules.Config{ShardCount: 40, MaxConcurrency: 10}, ours(initialise(40, 10)), f.cast(func(cluster string, start int) fakecluster.SDK {
					if cluster == "1" && start > 1 {
						return bad
					}
					return fakecluster.SDK{}
				}))
				f.serve(m, "c", 0, 39)
				before := pids(m)
				f.roll(m)
				f.must("stopped", 3*time.Minute, f.rolls("stopped"))
				f.pass(time.Minute)
				want(f, "cluster", *last[messages.RollingRestartMoved](f).Cluster, 1)
				want(f, "owned", f.owned(40)(), true)
				want(f, "identifies", f.identifies(), 40)
				kept := 0
				for pid := range pids(m) {
					if before[pid] {
						kept++
					}
				}
				want(f, "old processes", kept, 3)
				want(f, "processes", len(m.Processes()), 4)
			})
		})
	}
}

// CONTROL is killed in the middle of a rolling restart, or another order comes: nothing is doubled,
// nothing is left.
func TestRollingRestartIsCutShort(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 40, MaxConcurrency: 10})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("operational", time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		f.roll(m)
		f.pass(time.Duration(f.loop.Rand.IntN(3000)) * time.Millisecond)
		if f.loop.Rand.IntN(2) == 0 {
			f.crash(m)
			f.pass(time.Duration(f.loop.Rand.IntN(10)) * time.Second)
			f.boot(m, sesame)
		} else {
			f.restart(m, messages.ClusterID(f.loop.Rand.IntN(4)))
		}
		f.pass(3 * time.Minute)
		want(f, "owned", f.owned(40)(), true)
		want(f, "processes", len(m.Processes()), 4)
		want(f, "identifies", f.identifies(), 40)
	})
}

// A fresh restart identifies; a drained cluster resumes when it comes back in time; a stopped one
// identifies.
func TestOperatorsChoices(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(20, 10, ours(initialise(20, 10)), nil)
		f.serve(m, "c", 0, 19)
		f.order(m, messages.RestartCluster{Cluster: 0, Fresh: true})
		f.must("identified again", time.Minute, func() bool { return f.identifies() == 30 && f.owned(20)() })
		f.order(m, messages.DrainCluster{Cluster: 1})
		f.must("drained", 20*time.Second, f.stateIs(m, 1, messages.ClusterStopped))
		f.pass(20 * time.Second)
		f.restart(m, 1)
		f.must("resumed", time.Minute, f.owned(20))
		want(f, "identifies", f.identifies(), 30)
		f.stop(m, 1)
		f.must("stopped", 20*time.Second, f.stateIs(m, 1, messages.ClusterStopped))
		f.pass(time.Second) // Discord has heard of it
		f.restart(m, 1)
		f.must("identified again", time.Minute, f.owned(20))
		want(f, "identifies", f.identifies(), 40)
	})
}

// The old process dies while its successor boots: the successor is ended, another one is started,
// and the next order finds nothing in its way (seed 5910 of TestEverything).
func TestRollingRestartOfOneThatDies(t *testing.T) {
	seedsOf(t, 40, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 10, MaxConcurrency: 10}, ours(initialise(10, 10)), f.good(map[string]fakecluster.SDK{"0": {Boot: 100 * time.Millisecond}}))
		f.serve(m, "c", 0, 9)
		f.pass(time.Minute)
		f.roll(m)
		f.succeeds = true
		f.pass(time.Duration(f.loop.Rand.IntN(80)) * time.Millisecond)
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.must("it stops", time.Second, f.rolls("stopped"))
		f.must("READY", 10*time.Second, f.sawN("cluster.ready", 2))
		f.restart(m, 0)
		f.must("READY once more", 10*time.Second, f.sawN("cluster.ready", 3))
		f.must("one process", 10*time.Second, f.running(m, 1))
		want(f, "owned", f.owned(10)(), true)
		want(f, "identifies", f.identifies(), 10)
	})
}

// A cluster failed to start twice before it served, and was then replaced by an order. The next
// start that fails is its first one again.
func TestServingResetsTheAttempts(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 10, MaxConcurrency: 10}, ours(initialise(10, 10)), f.good(map[string]fakecluster.SDK{"0": {Boot: 500 * time.Millisecond}}))
		f.connect(m, "c", 0, 9)
		for n := range 2 {
			f.must("it boots", 10*time.Second, f.running(m, 1))
			f.processOf(m, "0").Signal(syscall.SIGKILL)
			f.must("it died", time.Second, f.sawN("cluster.died", n+1))
		}
		f.must("READY", 20*time.Second, f.sawN("cluster.ready", 1))
		f.pass(time.Minute)
		f.roll(m)
		f.must("the old process ends", 10*time.Second, f.sawN("cluster.stopped", 1))
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.must("its successor died", time.Second, f.sawN("cluster.died", 3))
		var attempts []int
		for _, e := range events[messages.ClusterDied](f) {
			attempts = append(attempts, e.Attempt)
		}
		if !slices.Equal(attempts, []int{1, 2, 1}) {
			f.t.Errorf("attempts %v, want 1, 2, 1", attempts)
		}
	})
}

// The successor's actor panics in the moment it takes the place of the one before it: the next one
// takes its process back, and none is left over (seed 6882 of TestEverything).
func TestSuccessorOfAPanic(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(20, 10, ours(initialise(20, 10)), nil)
		f.serve(m, "c", 0, 19)
		f.pass(5 * time.Second)
		lost := 2
		m.Panic = func(actor string, msg any) bool {
			_, proceed := msg.(messages.Proceed)
			if proceed {
				lost--
			}
			return proceed && lost >= 0
		}
		f.roll(m)
		f.must("done", time.Minute, f.rolls("done"))
		f.must("owned", time.Minute, f.owned(20))
		want(f, "lost", lost, 0)
		want(f, "identifies", f.identifies(), 20)
		want(f, "processes", len(m.Processes()), 2)
		want(f, "starts", f.starts["0"]+f.starts["1"], 4)
		f.pass(time.Second)
		f.succeeds = false
		before := f.pids(m)
		f.crash(m)
		f.boot(m)
		// one was taken back before
		f.must("the next run takes them back", 5*time.Second, f.sawN("cluster.adopted", 3))
		want(f, "processes", f.pids(m), before)
	})
}

// A second rolling restart waits for the end of the first, and can be ordered then.
func TestRollingRestartAgain(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(20, 10, ours(initialise(20, 10)), nil)
		f.serve(m, "c", 0, 19)
		for n := 1; n <= 2; n++ {
			f.roll(m)
			f.pass(20 * time.Millisecond)
			f.roll(m)
			f.must("the second is refused", time.Second, f.sawN("order.refused", n))
			f.must("the first is done", time.Minute, f.rolls("done"))
			want(f, "starts", f.starts["0"]+f.starts["1"], 2+2*n)
			want(f, "clusters done", last[messages.RollingRestartMoved](f).Done, 2)
		}
		want(f, "owned", f.owned(20)(), true)
		want(f, "identifies", f.identifies(), 20)
	})
}

// Discord goes away under the first cluster of a rolling restart: it stops there after a while, and
// the others keep their processes.
func TestRollingRestartTakesTooLong(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(40, 10, ours(initialise(40, 10)), nil)
		f.serve(m, "c", 0, 39)
		f.roll(m)
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOn, Shard: rules.All})
		f.pass(210*time.Second - time.Second) // two minutes, and a start: 30 s to HELLO, 60 s to READY
		want(f, "stopped", f.rolls("stopped")(), false)
		f.must("it stops", 2*time.Second, f.rolls("stopped"))
		want(f, "why", last[messages.RollingRestartMoved](f).Err, "not READY in time")
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOff, Shard: rules.All})
		f.must("every shard READY", 2*time.Minute, f.owned(40))
		want(f, "starts", f.starts["0"]+f.starts["1"]+f.starts["2"]+f.starts["3"], 5)
		want(f, "processes", len(m.Processes()), 4)
		f.roll(m)
		f.must("another one is done", time.Minute, f.rolls("done"))
	})
}

// A rolling restart of slow bots takes longer than one cluster may, and is done.
func TestRollingRestartOfSlowBots(t *testing.T) {
	seedsOf(t, 3, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 100, MaxConcurrency: 10}, ours(initialise(100, 10)), f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{Boot: 25 * time.Second} }))
		f.serve(m, "c", 0, 99)
		f.roll(m)
		f.must("done", 10*time.Minute, f.rolls("done"))
		want(f, "clusters done", last[messages.RollingRestartMoved](f).Done, 10)
		want(f, "identifies", f.identifies(), 100)
	})
}
