package scenarios

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// real makes some clusters' bots run the real SDK, beside the scripted bot.
func (f *fleet) real(clusters ...string) func(proc.Spec) (sim.Program, error) {
	return f.bots(func(cluster string, _ int) (sim.Program, error) {
		for _, c := range clusters {
			if c == cluster {
				return fakecluster.Real{Discord: f.discord}.Program, nil
			}
		}
		return fakecluster.SDK{Discord: f.discord}.Program, nil
	})
}

// The SDK's own code starts, resumes after a crash, and drains.
func TestRealSDK(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 20, MaxConcurrency: 10})
		f.withOwnMaster(1)
		m := f.add("m1", f.real("0", "1"), sesame)
		f.must("READY", time.Minute, f.owned(20))
		f.pass(5 * time.Second)
		f.processOf(m, "0").Exit(1, "")
		f.pass(time.Second)
		f.must("READY again", time.Minute, f.owned(20))
		f.roll(m)
		f.must("done", time.Minute, f.rolls("done"))
		f.succeeds = false
		f.crash(m)
		f.pass(3 * time.Second)
		f.boot(m, sesame)
		f.must("taken back", time.Minute, f.sawN("cluster.adopted", 2))
		f.order(m, messages.DrainCluster{Cluster: 1})
		f.must("drained", 20*time.Second, f.stateIs(m, 1, messages.ClusterStopped))
		f.pass(5 * time.Second)
		f.restart(m, 1)
		f.must("READY at last", time.Minute, f.owned(20))
		want(f, "identifies", f.identifies(), 20)
	})
}

// The chaos, with the real SDK in two of three clusters. Where several of its goroutines are awake
// the runtime chooses: a seed that fails need not fail again.
func TestChaosOfTheRealSDK(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) { chaosOf(f, f.real("0", "2")) })
}
