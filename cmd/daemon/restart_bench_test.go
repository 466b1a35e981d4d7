package daemon

import (
	"os"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/cluster"
	"github.com/discluster/control/actors/gate"
	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/messages"
)

// reviver is a behaviour that restarts a cluster that gave up, and reports deaths and pids to the
// benchmark.
type reviver struct {
	addresses world.Addresses
	died      chan time.Time
	pids      chan int
}

func (s *reviver) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(s.addresses.Events, messages.Subscribe{})
	case messages.ClusterDied:
		s.died <- time.Now()
	case messages.ClusterGaveUp:
		s.died <- time.Now()
		ctx.Send(s.addresses.Clusters, messages.RestartCluster{Cluster: m.Cluster})
	case messages.ClusterMoved:
		if m.PID != 0 && m.State == messages.ClusterGreeting {
			s.pids <- m.PID
		}
	}
}

// BenchmarkKilled measures the time from SIGKILL of a cluster process until the whole daemon knows
// of its death (known), and until the next process runs with its intent on disk (running). Each is
// beside the machine's floor in the same run: kill and wait; kill, wait, fork and exec. The pause
// before a restart, a second or more, is left out.
func BenchmarkKilled(b *testing.B) {
	argv := []string{"/bin/sleep", "1000"}
	fork := func() *os.Process {
		p, err := os.StartProcess(argv[0], argv, &os.ProcAttr{Env: []string{}, Sys: &syscall.SysProcAttr{Setpgid: true}})
		if err != nil {
			b.Fatal(err)
		}
		return p
	}
	heard := &reviver{died: make(chan time.Time, 16), pids: make(chan int, 16)}
	stop := startSleepers(b, argv, heard)
	defer stop()
	pid := <-heard.pids
	var known, knownFloor, running, runningFloor []time.Duration
	raw := fork()
	for b.Loop() {
		begin := time.Now()
		_ = raw.Kill()
		_, _ = raw.Wait()
		knownFloor = append(knownFloor, time.Since(begin))
		raw = fork()
		runningFloor = append(runningFloor, time.Since(begin))

		begin = time.Now()
		_ = syscall.Kill(pid, syscall.SIGKILL)
		known = append(known, (<-heard.died).Sub(begin))
		pid = <-heard.pids
		running = append(running, time.Since(begin))
	}
	_ = raw.Kill()
	_, _ = raw.Wait()
	median := func(all []time.Duration) float64 {
		slices.Sort(all)
		return float64(all[len(all)/2].Microseconds())
	}
	b.ReportMetric(median(known), "known-µs")
	b.ReportMetric(median(known)/median(knownFloor), "known/floor")
	b.ReportMetric(median(running), "running-µs")
	b.ReportMetric(median(running)/median(runningFloor), "running/floor")
	b.ReportMetric(0, "ns/op")
}

// startSleepers runs a MASTER and a CONTROL whose one cluster runs argv, in the machine's World
// without the pauses before a restart.
func startSleepers(b *testing.B, argv []string, heard *reviver) (stop func()) {
	log := zerolog.Nop()
	system := NewSystem(log)
	m, err := spawnMaster(b.Context(), system, b.TempDir(), master.Options{
		Listen: "127.0.0.1:0", Authorization: "secret", Token: "token",
		Options: fleet.Options{Shards: 1, MaxConcurrency: 1, Expect: 1, Wait: time.Minute, Heartbeat: time.Minute},
	}, log)
	if err != nil {
		b.Fatal(err)
	}
	w := machine.New(b.TempDir(), log)
	after := w.After
	w.After = func(d time.Duration, fn func()) func() {
		if 700*time.Millisecond < d && d < 4900*time.Millisecond { // only the pauses of plan.Restart
			d = 0
		}
		return after(d, fn)
	}
	root := system.Root.Spawn(actors.New(w.World, actors.Options{
		Master: actors.Master{URL: "ws://" + m.At, Authorization: "secret", Source: "here"},
		Cluster: cluster.Options{
			Command: argv, Protocol: messages.ProtocolSDK, Sockets: b.TempDir() + "/", Logs: b.TempDir(),
			HelloTimeout: time.Hour, ReadyTimeout: time.Hour, Heartbeat: time.Minute, KillGrace: time.Minute,
		},
		Identify: gate.Options{TTL: time.Minute},
		Behaviours: []world.Behaviour{{Name: "stubborn", Actor: func(_ *world.World, h world.Addresses) actor.Actor {
			heard.addresses = h
			return heard
		}}},
	}))
	ended := watch(system, root)
	return func() {
		system.Root.Send(root, messages.Stop{Reason: "the benchmark ends"})
		<-ended
		if err := m.Stop(); err != nil {
			b.Error(err)
		}
		if err := w.Close(time.Minute); err != nil {
			b.Error(err)
		}
	}
}
