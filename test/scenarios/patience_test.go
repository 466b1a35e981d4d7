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

// troubles is what a machine may lack for a while.
var troubles = []error{
	fmt.Errorf("bot output %q: %w", "/log/cluster-0", syscall.ENOSPC),
	fmt.Errorf("start %q: %w", "bot", syscall.EMFILE),
	fmt.Errorf("start %q: %w", "bot", syscall.EAGAIN),
	fmt.Errorf("start %q: %w", "bot", syscall.ETXTBSY),
	&proc.SpecError{Thing: "bot command", Value: "bot", Rule: "not found in PATH", Kind: proc.ErrNotFound},
	&proc.SpecError{Thing: "bot command", Value: "bot", Rule: "no permission to execute it", Kind: proc.ErrNotExecutable},
	&proc.SpecError{Thing: "folder", Value: "/run/bots", Rule: "is gone and cannot be made again: permission denied", Kind: proc.ErrFolder},
}

// A machine lacks what a start needs, from the first start on or while it serves, for seconds or for hours: that is said once for each cluster and each trouble, consumes no
// restart, and is over by itself within the longest wait once the trouble is.
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
				f.must("the trouble is said", 5*time.Second, f.sawN("cluster.held", clusters))
				want(f, "said", last[messages.ClusterHeld](f).Err, trouble.Error())
				f.must("MASTER hears it", time.Second, func() bool { return len(said[messages.MasterError](f, m)) == clusters })
				f.pass(time.Duration(f.loop.Rand.IntN(4*3600)) * time.Second)
				want(f, "said", f.saw("cluster.held"), clusters)
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

// One trouble follows another: each is said. What the bot does for its own fault is counted as ever, whatever lies between.
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
