package scenarios

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// A cluster that served and dies is restarted at once; one that dies young again waits, twice as
// long each time.
func TestDeathAfterService(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(2, 1, ours(initialise(2, 1)), nil)
		f.serve(m, "c", 0, 1)
		for i, story := range []struct{ served, wait time.Duration }{
			{61 * time.Second, 0}, {5 * time.Second, 0}, {59 * time.Second, time.Second}, {time.Second, 2 * time.Second}, {10 * time.Minute, 0}, {0, 0}, {0, time.Second},
		} {
			f.pass(story.served)
			p := f.processOf(m, "0")
			p.Signal(syscall.SIGKILL)
			died := f.loop.Now()
			f.must("it is noticed", 10*time.Millisecond, f.sawN("cluster.died", i+1))
			e := last[messages.ClusterDied](f)
			want(f, "pid", e.PID, p.PID())
			if e.Attempt != 0 || e.RetryInMS.Duration() < story.wait*8/10 || e.RetryInMS.Duration() > story.wait*12/10 || !strings.Contains(e.Exit, "killed") {
				f.t.Fatalf("death %d after %v: %+v, want a wait of %v", i, story.served, e, story.wait)
			}
			f.must("READY again", 30*time.Second, f.sawN("cluster.ready", i+2))
			// two shards, and the buckets busy for up to 5.1 s
			if took := f.loop.Now() - died; took > e.RetryInMS.Duration()+16*time.Second {
				f.t.Fatalf("back after %v", took)
			}
		}
		want(f, "gave up", f.saw("cluster.gave_up"), 0)
	})
}

// Five short services in ten minutes are reported.
func TestFlapping(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(1, 1, ours(initialise(1, 1)), nil)
		f.serve(m, "c", 0, 0)
		for i := range 5 {
			want(f, "flapping", f.saw("cluster.flapping"), 0)
			f.processOf(m, "0").Exit(1, "")
			f.must("READY again", time.Minute, f.sawN("cluster.ready", i+2))
		}
		want(f, "flapping", f.saw("cluster.flapping"), 1)
	})
}

// A process that hangs is seen within two heartbeats, and killed so that even a hanging one dies.
func TestMute(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(32, 16, ours(initialise(32, 16)), nil)
		f.serve(m, "c", 0, 31)
		f.pass(time.Duration(f.loop.Rand.IntN(100000)) * time.Millisecond)
		f.processOf(m, "1").Signal(syscall.SIGSTOP)
		f.must("it is noticed", 10*time.Second+time.Second, f.sawN("cluster.died", 1))
		e := last[messages.ClusterDied](f)
		want(f, "cause", e.Cause, messages.CauseMute)
		if !strings.Contains(e.Exit, "killed") {
			f.t.Fatalf("it ended by %q", e.Exit)
		}
		f.must("all are READY", 30*time.Second, func() bool { return f.saw("cluster.ready") == 3 && f.owned(32)() })
		want(f, "starts of the other", f.starts["0"], 1)
		want(f, "identifies", f.identifies(), 32)
	})
}

// The socket closes while the process is alive: it is dialled again, and nothing else happens.
func TestSocketLost(t *testing.T) {
	seeds(t, func(f *fleet) {
		// while it connects, or while it serves
		after := time.Duration(1 + f.loop.Rand.IntN(40000)*int(time.Millisecond))
		m := f.aloneWith(rules.Config{ShardCount: 4}, ours(initialise(4, 1)), f.cast(clusterOf("0", fakecluster.SDK{HangUpAfter: after})))
		f.serve(m, "c", 0, 3)
		f.pass(2 * time.Minute)
		want(f, "deaths", f.saw("cluster.died"), 0)
		want(f, "identifies", f.identifies(), 4)
		f.stop(m, 0)
		f.must("it still hears us", time.Second, f.running(m, 0))
	})
}

// A socket that closed while its process is alive is dialled again at once.
func TestSocketIsDialledAgain(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 4, MaxConcurrency: 4}, ours(initialise(4, 4)), f.cast(clusterOf("0", fakecluster.SDK{HangUpAfter: time.Minute})))
		f.serve(m, "c", 0, 3)
		f.must("it hangs up", time.Minute, func() bool { return f.net.Links("m1", "m1") == 0 })
		f.must("it is there again", 100*time.Millisecond, func() bool { return f.net.Links("m1", "m1") == 1 })
	})
}

// The socket of a dead process stays open, for a child of it has it: its death is reported all the
// same, after a moment for its last output.
func TestSocketOutlivesItsProcess(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(8, 8, ours(initialise(8, 8)), nil)
		f.serve(m, "c", 0, 7)
		f.net.Cut("m1", "m1") // the end of the socket does not come through
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.must("its death is reported", 110*time.Millisecond, f.sawN("cluster.died", 1))
		f.net.Heal("m1", "m1")
		f.must("READY again", time.Minute, f.sawN("cluster.ready", 2))
	})
}

// The socket closes and stays closed: the process is useless, and is ended.
func TestSocketLostForGood(t *testing.T) {
	seeds(t, func(f *fleet) {
		program := f.cast(func(_ string, start int) fakecluster.SDK {
			if start == 1 {
				return fakecluster.SDK{HangUpAfter: 90 * time.Second, StayAway: true, IgnoreTerm: true}
			}
			return fakecluster.SDK{}
		})
		m := f.aloneWith(rules.Config{ShardCount: 2}, ours(initialise(2, 1)), program)
		f.serve(m, "c", 0, 1)
		f.must("the end", 2*time.Minute, f.sawN("cluster.died", 1))
		want(f, "cause", last[messages.ClusterDied](f).Cause, messages.CauseIPCLost)
		// 5 s for the socket, 2 s for SIGTERM
		if at := f.loop.Now(); at < 97*time.Second || at > 98*time.Second {
			f.t.Fatalf("ended at %v", at)
		}
		f.must("READY again", 30*time.Second, f.owned(2))
	})
}

// A bot opens and closes its socket without end, answers HELLO now and then, and sends no
// heartbeat: it is restarted within the time that any mute bot has, as a mute one.
func TestSocketThatFlaps(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		every := time.Duration(1+f.loop.Rand.IntN(4000)) * time.Millisecond
		m := f.aloneWith(rules.Config{ShardCount: 4, MaxConcurrency: 4}, ours(initialise(4, 4)), f.cast(func(_ string, start int) fakecluster.SDK {
			if start > 1 {
				return fakecluster.SDK{}
			}
			return fakecluster.SDK{HangUpAfter: 60 * time.Second, MuteAfter: 60 * time.Second, HangUpEvery: every}
		}))
		f.serve(m, "c", 0, 3)
		f.pass(60*time.Second - f.loop.Now())
		f.must("its death", 17*time.Second, f.sawN("cluster.died", 1))
		died := last[messages.ClusterDied](f)
		want(f, "cause", died.Cause, messages.CauseMute)
		want(f, died.Err, strings.Contains(died.Err, "while its socket closed"), true)
		f.must("READY again", time.Minute, f.owned(4))
		want(f, "identifies", f.identifies(), 4)
	})
}
