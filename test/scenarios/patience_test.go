package scenarios

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// troubles lists what a machine may lack for a while.
var troubles = []error{
	fmt.Errorf("bot output %q: %w", "/log/cluster-0", syscall.ENOSPC),
	fmt.Errorf("start %q: %w", "bot", syscall.EMFILE),
	fmt.Errorf("start %q: %w", "bot", syscall.EAGAIN),
	fmt.Errorf("start %q: %w", "bot", syscall.ETXTBSY),
	&proc.SpecError{Thing: "bot command", Value: "bot", Rule: "not found in PATH", Kind: proc.ErrNotFound},
	&proc.SpecError{Thing: "bot command", Value: "bot", Rule: "no permission to execute it", Kind: proc.ErrNotExecutable},
	&proc.SpecError{Thing: "folder", Value: "/run/bots", Rule: "is gone and cannot be made again: permission denied", Kind: proc.ErrFolder},
}

// A machine lacks what a start needs, from the first start on or while it serves, for seconds or
// for hours: that is reported once for each cluster and each trouble, consumes no restart, and is
// over by itself within the longest wait once the trouble is.
func TestHostTrouble(t *testing.T) {
	for _, serving := range []bool{false, true} {
		t.Run(fmt.Sprintf("serving %v", serving), func(t *testing.T) {
			seeds(t, func(f *fleet) {
				m := f.aloneWith(rules.Config{ShardCount: 20, MaxConcurrency: 10}, ours(initialise(20, 10)), f.good(nil))
				clusters := 2
				if serving {
					f.serve(m, "c", 0, 19)
					clusters = 1
				}
				trouble := troubles[f.loop.Rand.IntN(len(troubles))]
				m.StartErr = trouble
				if serving {
					f.processOf(m, "1").Signal(syscall.SIGKILL)
				} else {
					f.connect(m, "c", 0, 19)
				}
				f.must("the trouble is reported", 5*time.Second, f.sawN("cluster.held", clusters))
				want(f, "reported", last[messages.ClusterHeld](f).Err, trouble.Error())
				f.must("MASTER hears it", time.Second, func() bool { return len(sent[messages.MasterError](f, m)) == clusters })
				f.pass(time.Duration(f.loop.Rand.IntN(4*3600)) * time.Second)
				want(f, "reported", f.saw("cluster.held"), clusters)
				want(f, "owned by the others", f.owned(20-10*clusters)(), true)
				deaths := f.saw("cluster.died")
				m.StartErr = nil
				f.must("every shard READY", 72*time.Second+f.rules.Floor(20)+10*time.Second, f.owned(20))
				want(f, "trouble, and its end", f.saw("cluster.held"), 2*clusters)
				want(f, "its end", last[messages.ClusterHeld](f).On, false)
				want(f, "deaths", f.saw("cluster.died"), deaths)
				want(f, "given up", f.saw("cluster.gave_up"), 0)
			})
		})
	}
}

// One trouble follows another: each is reported. The bot's own failures are counted as ever,
// whatever lies between.
func TestHostTroubleBesideABadBot(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 10, MaxConcurrency: 10}, ours(initialise(10, 10)), f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{ExitAfter: 1} }))
		m.StartErr = troubles[0]
		f.connect(m, "c", 0, 9)
		f.must("the first", 5*time.Second, f.sawN("cluster.held", 1))
		m.StartErr = troubles[1]
		f.must("its end, and the second", 2*time.Minute, f.sawN("cluster.held", 2))
		want(f, "on", last[messages.ClusterHeld](f).On, true)
		m.StartErr = nil
		f.must("a bad bot is given up", 2*time.Minute, f.sawN("cluster.gave_up", 1))
		want(f, "starts", f.starts["0"], 4)
		want(f, "the end of the second", f.saw("cluster.held"), 3)
	})
}

// No process of a machine gets CPU time for a while, at any time: a late one is healthy, and none
// is killed. A bot that hangs is found out as ever afterwards.
func TestStarvation(t *testing.T) {
	for _, start := range []bool{true, false} {
		t.Run(fmt.Sprintf("at the start %v", start), func(t *testing.T) {
			seeds(t, func(f *fleet) {
				m := f.aloneWith(rules.Config{ShardCount: 40, MaxConcurrency: 10}, ours(initialise(40, 10)), f.good(nil))
				if start {
					f.connect(m, "c", 0, 39)
					f.pass(time.Duration(f.loop.Rand.IntN(5000)) * time.Millisecond)
				} else {
					f.serve(m, "c", 0, 39)
					f.pass(time.Duration(f.loop.Rand.IntN(20000)) * time.Millisecond)
				}
				for range 2 {
					m.Starve(time.Duration(1+f.loop.Rand.IntN(55)) * time.Second)
					f.pass(70 * time.Second)
				}
				f.must("every shard READY", 2*time.Minute, f.owned(40))
				want(f, "deaths", f.saw("cluster.died"), 0)
				want(f, "processes", len(m.Processes()), 4)
				f.pass(time.Minute)
				f.processOf(m, "2").Signal(syscall.SIGSTOP)
				f.must("a hang is found out", 12*time.Second, f.sawN("cluster.died", 1))
				want(f, "class", last[messages.ClusterDied](f).Class, "bot")
			})
		})
	}
}

// The machine gets no CPU time for many minutes: what is late is killed in the end, one process at
// a time, and none of that consumes a restart. It is reported, and is over by itself.
func TestLongStarvation(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 40, MaxConcurrency: 10}, ours(initialise(40, 10)), f.good(nil))
		f.serve(m, "c", 0, 39)
		f.pass(time.Duration(f.loop.Rand.IntN(20000)) * time.Millisecond)
		const long = 20 * time.Minute
		m.Starve(long)
		for end := f.loop.Now() + long; f.loop.Now() < end; {
			before := f.saw("cluster.died")
			if f.pass(time.Minute); f.saw("cluster.died") > before+1 {
				f.t.Fatal("more than one process was killed within a minute")
			}
		}
		deaths := f.saw("cluster.died")
		if deaths < 2 || deaths > 9 {
			f.t.Errorf("%d deaths, want one every few minutes", deaths)
		}
		want(f, "class", last[messages.ClusterDied](f).Class, "host")
		f.must("every shard READY", 3*time.Minute, f.owned(40))
		want(f, "given up", f.saw("cluster.gave_up"), 0)
		held := events[messages.ClusterHeld](f)
		want(f, "reported", len(held) > 0, true)
		want(f, "over", held[len(held)-1].On, false)
	})
}

// A bot is too slow for its time, and nothing shows that the machine is short of CPU time: each
// start has more time than the previous one.
func TestSlowStart(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 20, MaxConcurrency: 10}, ours(initialise(20, 10)), f.good(map[string]fakecluster.SDK{"0": {Boot: 50 * time.Second}}))
		m.Blind = true
		f.connect(m, "c", 0, 19)
		f.must("every shard READY", 2*time.Minute, f.owned(20))
		want(f, "deaths", f.saw("cluster.died"), 1)
		want(f, "cause", last[messages.ClusterDied](f).Cause, messages.CauseHelloTimeout)
	})
}
