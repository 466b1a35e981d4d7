package scenarios

import (
	"testing"
	"time"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// A process that ignores DRAIN and SIGTERM is killed after its graces.
func TestStopOfADeafProcess(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(2, 1, ours(initialise(2, 1)), map[string]fakecluster.SDK{"0": {IgnoreTerm: true}})
		f.serve(m, "c", 0, 1)
		began := f.loop.Now()
		f.stop(m, 0)
		f.must("it is gone", 11*time.Second, f.sawN("cluster.stopped", 1))
		if took := f.loop.Now() - began; took < 10*time.Second { // 8 s for the drain, 2 s for SIGTERM
			f.t.Fatalf("killed after %v", took)
		}
		want(f, "processes", len(m.Processes()), 0)
		want(f, "deaths", f.saw("cluster.died"), 0)
		f.restart(m, 0)
		f.must("READY again", time.Minute, f.owned(2))
	})
}

// The machine never answers whether it has started a process, and a stop comes: the start is
// abandoned, and the cluster is stopped within its grace.
func TestStopOfAStartThatHangs(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(2, 1, ours(initialise(2, 1)), nil)
		m.StartHangs = true
		f.connect(m, "c", 0, 1)
		f.pass(10 * time.Second)
		f.stop(m, 0)
		f.pass(1900 * time.Millisecond)
		want(f, "state", f.state(m, 0), messages.ClusterKilling)
		f.must("stopped", 200*time.Millisecond, f.stateIs(m, 0, messages.ClusterStopped))
		m.StartHangs = false
		f.restart(m, 0)
		f.must("READY", time.Minute, f.owned(2))
		want(f, "processes", len(m.Processes()), 1)
	})
}

// A stop at any moment of a cluster's run leaves nothing, and a restart after it serves.
func TestStopAtAnyMoment(t *testing.T) {
	for name, story := range map[string]struct {
		bot   fakecluster.SDK
		state messages.ClusterState
	}{
		"spawning":        {fakecluster.SDK{}, messages.ClusterSpawning},
		"greeting":        {fakecluster.SDK{Boot: 5 * time.Second}, messages.ClusterGreeting},
		"connecting":      {fakecluster.SDK{}, messages.ClusterConnecting},
		"serving":         {fakecluster.SDK{}, messages.ClusterServing},
		"waiting":         {fakecluster.SDK{ExitAfter: 1}, messages.ClusterWaiting},
		"killing":         {fakecluster.SDK{WrongID: true, IgnoreTerm: true}, messages.ClusterKilling},
		"failed":          {fakecluster.SDK{ExitAfter: 1}, messages.ClusterFailed},
		"a deaf greeting": {fakecluster.SDK{NeverListen: true, IgnoreTerm: true}, messages.ClusterGreeting},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 10, func(f *fleet) {
				bot := story.bot
				m := f.aloneWith(rules.Config{ShardCount: 2}, ours(initialise(2, 1)), f.cast(func(string, int) fakecluster.SDK { return bot }))
				f.connect(m, "c", 0, 1)
				f.must(name, time.Minute, f.stateIs(m, 0, story.state))
				f.stop(m, 0)
				f.stop(m, 0)
				f.pass(11 * time.Second)
				want(f, "processes", len(m.Processes()), 0)
				starts := f.starts["0"]
				f.pass(2 * time.Minute)
				want(f, "starts", f.starts["0"], starts)
				bot = fakecluster.SDK{}
				f.restart(m, 0)
				f.must("READY", time.Minute, f.owned(2))
				f.must("operational", time.Second, f.acked(m, "c", "operational"))
			})
		})
	}
}

// Stops and restarts in any order at any time: the last order counts.
func TestStopsAndRestartsAtRandom(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(32, 16, ours(initialise(32, 16)), map[string]fakecluster.SDK{"1": {Boot: time.Second}})
		f.connect(m, "c", 0, 31)
		for range 30 {
			f.pass(time.Duration(f.loop.Rand.IntN(3000)) * time.Millisecond)
			id := messages.ClusterID(f.loop.Rand.IntN(2))
			if f.loop.Rand.IntN(2) == 0 {
				f.stop(m, id)
			} else {
				f.restart(m, id)
			}
		}
		f.stop(m, 0)
		f.restart(m, 1)
		f.pass(time.Minute)
		want(f, "owned", f.owned(16)(), true)
		want(f, "processes", len(m.Processes()), 1)
		want(f, "deaths", f.saw("cluster.died"), 0)
	})
}

// An operator restarts a cluster that serves: drained, and back.
func TestRestart(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(32, 16, ours(initialise(32, 16)), nil)
		f.serve(m, "c", 0, 31)
		f.pass(10 * time.Second)
		f.restart(m, 0)
		f.must("stopped", time.Second, f.sawN("cluster.stopped", 1))
		f.must("READY again", 20*time.Second, f.sawN("cluster.ready", 3))
		want(f, "owned", f.owned(32)(), true)
		want(f, "starts", f.starts["0"], 2)
		want(f, "starts of the other", f.starts["1"], 1)
		f.restart(m, 7)
		f.must("no such cluster", time.Second, f.sawN("order.refused", 1))
	})
}

// CONTROL is stopped at any moment: at once where nothing has to be drained, and nothing is left.
func TestStopOfControl(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(32, 4, ours(initialise(32, 4)), map[string]fakecluster.SDK{"1": {ExitAfter: 1}, "2": {NeverListen: true}, "3": {Boot: 3 * time.Second}})
		f.connect(m, "c", 0, 31)
		f.pass(time.Duration(f.loop.Rand.IntN(20000)) * time.Millisecond)
		if took := f.stopControl(m); took > time.Second {
			f.t.Fatalf("stopping took %v", took)
		}
		f.pass(time.Second)
		f.nothingLeft()
	})
}

// The actor panics on the report that its process has ended: it checks itself, and finds it gone
// (seed 115 of TestEverything).
func TestEndThatPanics(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(4, 4, ours(initialise(4, 4)), nil)
		f.serve(m, "c", 0, 3)
		m.Panic = func(actor string, msg any) bool { return typeOf(msg) == "cluster.runExited" }
		f.order(m, messages.DrainCluster{Cluster: 0})
		f.must("stopped", 20*time.Second, f.stateIs(m, 0, messages.ClusterStopped))
		want(f, "processes", len(m.Processes()), 0)
	})
}

// The actor panics on the order to stop, and on the notice that it lost a message: the order is
// sent again (seed 5315 of TestEverything).
func TestStopThatPanics(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(4, 4, ours(initialise(4, 4)), nil)
		f.serve(m, "c", 0, 3)
		lost := 2
		m.Panic = func(actor string, msg any) bool {
			switch msg.(type) {
			case messages.StopRun, world.Recovered:
				lost--
				return actor == "cluster/0" && lost >= 0
			}
			return false
		}
		f.order(m, messages.DrainCluster{Cluster: 0})
		f.must("stopped", 10*time.Second, f.stateIs(m, 0, messages.ClusterStopped))
		want(f, "processes", len(m.Processes()), 0)
	})
}
