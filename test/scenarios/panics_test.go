package scenarios

import (
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// A panic of either root, or of an actor of MASTER, is an event like any other.
func TestPanicsAreReported(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		f.withDiscord(rules.Config{ShardCount: 8, MaxConcurrency: 8})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("all", time.Minute, f.owned(8))
		once := func(message string) func(string, any) bool {
			panicked := false
			return func(_ string, msg any) bool {
				now := !panicked && typeOf(msg) == message
				panicked = panicked || now
				return now
			}
		}
		for i, message := range []string{"messages.GetFleetView", "master.shown"} {
			own.Panic = once(message)
			f.system.Root.Send(own.root, messages.GetFleetView{Answer: func(messages.FleetView) {}})
			f.must(message, time.Minute, func() bool { return own.saw("control.broken") == i+1 })
		}
		m.Panic = once("actors.linkFrame")
		f.must("of MasterLink", time.Minute, f.sawN("control.broken", 1))
	})
}

func TestPanicWhileEnding(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(8, 8, ours(initialise(8, 8)), map[string]fakecluster.SDK{"0": {IgnoreTerm: true}})
		f.serve(m, "c", 0, 7)
		f.pass(time.Second)
		f.stop(m, 0)
		f.pass(time.Second)
		once := false
		m.Panic = func(actor string, msg any) bool {
			if once || actor != "cluster/0" || typeOf(msg) != "world.Timeout" {
				return false
			}
			once = true
			return true
		}
		f.pass(10 * time.Minute)
		want(f, "panicked", once, true)
		want(f, "processes", len(m.Processes()), 0)
		want(f, "state", f.state(m, 0), messages.ClusterStopped)
	})
}

func TestPanicOnWhatWasFound(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		stays := fakecluster.SDK{IgnoreTerm: true}
		m := f.alone(16, 8, ours(initialise(16, 8)), map[string]fakecluster.SDK{"1": stays})
		f.connect(m, "c", 0, 7)
		f.connect(m, "d", 8, 15)
		f.must("all", 2*time.Minute, f.owned(16))
		f.pass(time.Second)
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 8, Last: 15}})
		f.pass(time.Second)
		f.crash(m)
		once := false
		m.Panic = func(actor string, msg any) bool {
			if once || actor != "cluster/1" || typeOf(msg) != "cluster.found" {
				return false
			}
			once = true
			return true
		}
		f.boot(m)
		f.pass(10 * time.Minute)
		want(f, "panicked", once, true)
		want(f, "processes", len(m.Processes()), 1)
	})
}

func TestPanicsAgainAndAgain(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(40, 8, ours(initialise(40, 8)), nil)
		f.serve(m, "c", 0, 39)
		f.pass(time.Second)
		n := 0
		m.Panic = func(actor string, msg any) bool {
			moved, is := msg.(messages.ClusterMoved)
			if is && actor == "clusters" && moved.Cluster == 1 {
				n++
				return true
			}
			return false
		}
		f.processOf(m, "3").Signal(syscall.SIGKILL)
		f.processOf(m, "1").Signal(syscall.SIGKILL)
		want(f, "an error", f.loop.Run(10*time.Second), nil)
		want(f, "many panics", n > 50, false)
	})
}

func TestRestartEndsThoughWePanic(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(8, 8, ours(initialise(8, 8)), nil)
		f.serve(m, "c", 0, 7)
		f.pass(time.Second)
		f.master.Send("m1", messages.Command{ID: "r", Name: messages.CommandRestartCluster, Args: []byte(`{"cluster":0}`)})
		f.must("connecting", time.Minute, func() bool { return f.saw("cluster.stopped") == 1 && f.state(m, 0) == messages.ClusterGreeting })
		once := false
		m.Panic = func(actor string, msg any) bool {
			if once || actor != "cluster/0" || typeOf(msg) != "cluster.socketFrame" {
				return false
			}
			once = true
			return true
		}
		f.must("READY", time.Minute, f.stateIs(m, 0, messages.ClusterServing))
		f.pass(20 * time.Minute)
		ended := false
		for _, a := range sent[messages.Ack](f, m) {
			ended = ended || a.ID == "r" && a.OK != nil
		}
		want(f, "ended", ended, true)
	})
}

func TestStopOfTheDetached(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(8, 8, ours(initialise(8, 8)), nil)
		f.serve(m, "c", 0, 7)
		m.Panic = func(actor string, msg any) bool { return actor == "cluster/0" && typeOf(msg) == "cluster.socketFrame" }
		f.must("left alone", 2*time.Minute, f.stateIs(m, 0, messages.ClusterDetached))
		m.Panic = nil
		f.pass(time.Second)
		f.order(m, messages.StopCluster{Cluster: 0})
		f.pass(time.Minute)
		want(f, "processes", len(m.Processes()), 0)
		want(f, "state", f.state(m, 0), messages.ClusterStopped)
		want(f, "cluster.stopped", f.saw("cluster.stopped"), 1)
	})
}
