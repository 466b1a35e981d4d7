package scenarios

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// crash kills a machine's CONTROL as kill -9 would. Its bots go on.
func (f *fleet) crash(m *machine) {
	m.Crash()
	m.gone = true
}

// pids returns the live processes of a machine.
func pids(m *machine) map[int]bool {
	all := map[int]bool{}
	for _, p := range m.Processes() {
		all[p.PID()] = true
	}
	return all
}

// CONTROL is killed while everything serves. The next one takes back every process: none is
// started, nothing is identified.
func TestAdoptsWhatServes(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 40, MaxConcurrency: 8})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("operational", 2*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		before := pids(m)
		f.crash(m)
		f.pass(time.Duration(f.loop.Rand.IntN(25000)) * time.Millisecond)
		began := f.loop.Now()
		f.boot(m, sesame)
		f.must("every cluster is adopted", 5*time.Second, f.sawN("cluster.adopted", 5))
		if took := f.loop.Now() - began; took > 500*time.Millisecond {
			f.t.Errorf("adoption took %v", took)
		}
		f.pass(2 * time.Minute)
		want(f, "identifies", f.identifies(), 40)
		want(f, "owned", f.owned(40)(), true)
		for pid := range pids(m) {
			want(f, "pid was there before", before[pid], true)
		}
		want(f, "processes", len(pids(m)), len(before))
		want(f, "fleet placed again", own.saw("fleet.placed"), 1)
	})
}

// CONTROL is killed at any instant of a start, again and again. Every shard is READY in the end, by
// one identify each, and no process is doubled or left.
func TestAdoptsWhatStarts(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
		f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		for range 4 {
			f.pass(time.Duration(f.loop.Rand.IntN(12000)) * time.Millisecond)
			f.crash(m)
			f.pass(time.Duration(f.loop.Rand.IntN(3000)) * time.Millisecond)
			f.boot(m, sesame)
		}
		f.must("every shard READY", 5*time.Minute, f.owned(24))
		want(f, "processes", len(m.Processes()), 6)
		f.pass(time.Minute)
		want(f, "owned", f.owned(24)(), true)
		// a bot that waited for a permit may have used one whose report was lost
		if got := f.identifies(); got > 24+4 {
			f.t.Errorf("identifies %d, want about 24", got)
		}
	})
}

// A bot's shard requests a permit between the new CONTROL's dial and its identification. The
// request is not refused, for it comes again behind the answer (seed 734 of TestEverything).
func TestAdoptsWhoAsksFirst(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 12, MaxConcurrency: 2})
		f.withOwnMaster(1)
		m := f.add("m1", f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{AsksFirst: true} }), sesame)
		f.pass(7*time.Second + time.Duration(f.loop.Rand.IntN(15000))*time.Millisecond)
		f.crash(m)
		f.pass(time.Duration(f.loop.Rand.IntN(3000)) * time.Millisecond)
		f.boot(m, sesame)
		f.must("every shard READY", 35*time.Second, f.owned(12))
	})
}

// Some processes die while CONTROL is away, one hangs, one was started otherwise than it would be
// now: each is replaced, and resumes.
func TestReplacesWhatIsNotTheSame(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 32, MaxConcurrency: 8})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("operational", 2*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		f.pass(time.Duration(f.loop.Rand.IntN(5000)) * time.Millisecond)
		f.crash(m)
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.processOf(m, "1").Signal(syscall.SIGSTOP)
		f.pass(time.Duration(f.loop.Rand.IntN(10000)) * time.Millisecond)
		changed := f.loop.Rand.IntN(2) == 0
		f.boot(m, sesame, func(o *actors.Options) {
			if changed {
				o.Cluster.ExtraEnv = []string{"COLOUR=blue"}
			}
		})
		f.must("every shard READY", 2*time.Minute, func() bool {
			return f.owned(32)() && len(m.Processes()) == 4 && f.state(m, 1) == messages.ClusterServing
		})
		f.pass(time.Minute)
		want(f, "identifies", f.identifies(), 32)
		want(f, "processes", len(m.Processes()), 4)
		for _, p := range m.Processes() {
			want(f, "colour", p.Env("COLOUR") != "", changed || p.Env("CLUSTER_ID") != "" && p.Env("COLOUR") != "")
		}
	})
}

// What was being given back when CONTROL was killed is not served again.
func TestEndsWhatWasEnding(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(40, 8, ours(initialise(40, 8)), nil)
		f.serve(m, "c", 0, 39)
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 0, Last: 15}})
		f.pass(time.Duration(f.loop.Rand.IntN(60)) * time.Millisecond)
		f.crash(m)
		f.pass(12 * time.Second)
		f.boot(m)
		f.must("the link", time.Minute, f.sawN("master.linked", 2))
		f.pass(time.Minute)
		n := len(m.Processes())
		if n != 3 && n != 5 { // 5: the order had not arrived
			f.t.Errorf("%d processes, want the 3 that are served", n)
		}
	})
}

// A detaching stop leaves every bot serving for the next CONTROL.
func TestDetach(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 16})
		f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("every shard READY", time.Minute, f.owned(16))
		f.pass(time.Second)
		f.system.Root.Send(m.root, messages.Stop{Detach: true})
		f.must("CONTROL is gone", 2*time.Second, func() bool { return m.gone })
		want(f, "owned", f.owned(16)(), true)
		f.pass(10 * time.Second)
		f.boot(m, sesame)
		f.must("adopted", 5*time.Second, f.sawN("cluster.adopted", 1))
		f.pass(time.Minute)
		want(f, "identifies", f.identifies(), 16)
	})
}

// A process dies while CONTROL has no token, for MASTER is away, and CONTROL's own code panics on
// its end: another one is started as soon as the token is there (seed 5648 of TestEverything).
func TestDiesWithoutAToken(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		f.withDiscord(rules.Config{ShardCount: 8, MaxConcurrency: 8})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("READY", time.Minute, f.owned(8))
		f.pass(time.Minute)
		own.Crash()
		f.crash(m)
		f.boot(m, sesame)
		f.must("adopted", 5*time.Second, f.sawN("cluster.adopted", 1))
		m.Panic = func(actor string, msg any) bool { return typeOf(msg) == "cluster.runExited" }
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.must("a panic", 5*time.Second, func() bool { return strings.Contains(f.log.String(), "panic on cluster.runExited") })
		m.Panic = nil
		f.pass(time.Duration(f.loop.Rand.IntN(1000)) * time.Millisecond)
		own.start()
		f.must("READY again", 2*time.Minute, f.owned(8))
	})
}
