package scenarios

import (
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// sweepTakes is the duration of a search for the helpers of a dead process on these machines.
const sweepTakes = 500 * time.Millisecond

// killLeaving kills the process of cluster 0 and leaves a helper of it, in a session of its own.
func (f *fleet) killLeaving(m *machine) {
	p := f.processOf(m, "0")
	p.Fork(func(*sim.Proc) {})
	p.Signal(syscall.SIGKILL)
}

// killTwice kills the process of cluster 0 so that its next start waits for a second.
func (f *fleet) killTwice(m *machine) {
	f.killLeaving(m)
	f.must("READY again", 20*time.Second, f.sawN("cluster.ready", 2))
	f.killLeaving(m)
	f.must("the second death", 10*time.Millisecond, f.sawN("cluster.died", 2))
}

// stops orders an end of cluster 0 in one of the ways, and returns what reports that it is done.
func (f *fleet) stops(m *machine) (done func() bool) {
	switch f.loop.Rand.IntN(3) {
	case 0:
		f.stop(m, 0)
	case 1:
		f.order(m, messages.DrainCluster{Cluster: 0})
	default:
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 0, Last: 0}})
		return func() bool { return f.acks(m, "o", "released") == 1 }
	}
	return f.stateIs(m, 0, messages.ClusterStopped)
}

// A death is reported before it is known what it left behind. The next process, and the end of an
// ordered stop, wait for that.
func TestDeathBeforeTheSearch(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		f.serve(m, "c", 0, 0)
		m.SweepTakes = sweepTakes
		for i := range 2 {
			f.killLeaving(m)
			f.must("it is reported", 10*time.Millisecond, f.sawN("cluster.died", i+1))
			f.pass(480 * time.Millisecond)
			want(f, "processes before the search has ended", len(m.Processes()), 1)
			want(f, "starts", f.starts["0"], i+1)
			if i == 0 {
				f.must("READY again", 10*time.Second, f.sawN("cluster.ready", 2))
				f.pass(time.Minute)
			}
		}
		f.stop(m, 0)
		f.must("stopped", 10*time.Second, f.sawN("cluster.stopped", 1))
		want(f, "processes", len(m.Processes()), 0)
	})
}

// A stop that is ordered while the next start waits is done, and reported, once nothing is left of
// the dead run: also when a panic loses the end of the search.
func TestStopDuringTheSearch(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		f.serve(m, "c", 0, 0)
		m.SweepTakes = sweepTakes
		f.killTwice(m)
		if f.loop.Rand.IntN(2) == 0 {
			m.Panic = func(_ string, msg any) bool { return typeOf(msg) == "cluster.runExited" }
		}
		f.pass(time.Duration(f.loop.Rand.IntN(400)) * time.Millisecond)
		done := f.stops(m)
		want(f, "processes", len(m.Processes()), 1)
		f.must("the stop is done", 5*time.Second, done)
		want(f, "processes", len(m.Processes()), 0)
		want(f, "reported", f.saw("cluster.stopped"), 1)
		f.pass(time.Minute)
		want(f, "starts", f.starts["0"], 2)
		want(f, "reported", f.saw("cluster.stopped"), 1)
	})
}

// The search for what a reported death left behind ends without an answer. Nothing is started, and
// no stop is done, before there is one: whatever our own code panics on.
func TestDoubtAfterTheReport(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		f.serve(m, "c", 0, 0)
		m.SweepTakes = sweepTakes
		m.FindErr = f.findErr()
		f.killLeaving(m)
		f.must("it is reported", 10*time.Millisecond, f.sawN("cluster.died", 1))
		f.must("in doubt", 5*time.Second, f.sawN("cluster.unknown", 1))
		lost, on := 1+f.loop.Rand.IntN(3), []string{"cluster.found", "world.Timeout", "messages.StopRun"}[f.loop.Rand.IntN(3)]
		m.Panic = func(actor string, msg any) bool {
			if actor != "cluster/0" || typeOf(msg) != on {
				return false
			}
			lost--
			return lost >= 0
		}
		f.pass(time.Duration(f.loop.Rand.IntN(60000)) * time.Millisecond)
		done := f.sawN("cluster.ready", 2)
		if f.loop.Rand.IntN(2) == 0 {
			done = f.stops(m)
		}
		f.pass(time.Duration(f.loop.Rand.IntN(60000)) * time.Millisecond)
		want(f, "done", done(), false)
		want(f, "processes", len(m.Processes()), 1)
		want(f, "starts", f.starts["0"], 1)
		m.FindErr = nil
		f.must("it is done", 2*time.Minute, done)
		want(f, "processes", len(m.Processes()), f.starts["0"]-1)
	})
}

// A cluster is given up once nothing is left of its last run.
func TestGiveUpWaitsForTheSearch(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 1}, ours(initialise(1, 1)), f.cast(func(string, int) fakecluster.SDK {
			return fakecluster.SDK{NeverListen: true, ExitAfter: 2 * time.Second, ExitCode: 3}
		}))
		m.SweepTakes = sweepTakes
		f.connect(m, "c", 0, 0)
		for i := range 4 {
			f.must("it is started", 10*time.Second, func() bool { return f.starts["0"] == i+1 && len(m.Bots()) == 1 })
			m.Bots()[0].Fork(func(*sim.Proc) {})
		}
		f.must("it is given up", time.Minute, f.sawN("cluster.gave_up", 1))
		want(f, "processes", len(m.Processes()), 0)
		want(f, "causes", len(last[messages.ClusterGaveUp](f).Causes), 4)
		want(f, "deaths", f.saw("cluster.died"), 3)
		f.restart(m, 0)
		f.must("it is started", 10*time.Second, func() bool { return f.starts["0"] == 5 })
	})
}

// A stop is ordered in the moment of a death: before or after it, while the bot drains, or while
// its last words are read. It is done once nothing is left.
func TestStopAroundADeath(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		f.serve(m, "c", 0, 0)
		m.SweepTakes = sweepTakes
		if f.loop.Rand.IntN(2) == 0 {
			f.net.Cut("m1", "m1") // the end of the socket does not come through
		}
		if f.loop.Rand.IntN(2) == 0 {
			m.Freeze(10 * time.Millisecond) // CONTROL hears of both at once
		}
		var done func() bool
		soon := time.Duration(f.loop.Rand.IntN(3000)) * time.Microsecond
		if f.loop.Rand.IntN(2) == 0 {
			done = f.stops(m)
			f.pass(soon)
			f.killLeaving(m)
		} else {
			f.killLeaving(m)
			f.pass(soon)
			done = f.stops(m)
		}
		f.must("the stop is done", 5*time.Second, done)
		want(f, "processes", len(m.Processes()), 0)
		want(f, "reported", f.saw("cluster.stopped"), 1)
		want(f, "starts", f.starts["0"], 1)
	})
}

// The successor of a rolling restart dies, and it is unknown what it left behind: that is searched
// for until it is known.
func TestSuccessorLeavesAHelper(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.succeeds = true
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		f.serve(m, "c", 0, 0)
		f.order(m, messages.RollingRestart{})
		f.must("a successor", 5*time.Second, func() bool { return len(m.Bots()) == 2 })
		m.FindErr = f.findErr()
		successor := m.Bots()[1]
		successor.Fork(func(*sim.Proc) {})
		successor.Signal(syscall.SIGKILL)
		f.pass(10 * time.Second)
		m.FindErr = nil
		f.must("one process", time.Minute, func() bool { return len(m.Processes()) == 1 })
		f.must("READY", time.Minute, f.owned(1))
	})
}

// Buckets are held for a bot that cannot ask for permits until nothing of it is left: then only its
// death is acted on.
func TestHeldBucketsAwaitTheSearch(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.envs(1, 1, nil, environment(messages.ReadyRule{After: 30 * time.Second}))
		f.must("it is started", time.Minute, func() bool { return f.starts["0"] == 1 })
		f.pass(10 * time.Millisecond)
		m.SweepTakes = sweepTakes
		f.killLeaving(m)
		f.must("it is reported", time.Second, f.sawN("cluster.died", 1))
		want(f, "processes", len(m.Processes()), 0)
	})
}
