package scenarios

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// envFleet is a fleet with CONTROL's own MASTER whose bots know their environment alone: each boots
// for as long as it likes, up to 25 s in silence, or for a minute when it gives a sign of life, and
// starts its shards at the pace of some library.
func (f *fleet) envFleet(machines, shards, maxConcurrency, perCluster int, odd func(*fakecluster.Env)) *ownMaster {
	f.withDiscord(rules.Config{ShardCount: shards, MaxConcurrency: maxConcurrency, IdentifyTotal: 100000})
	own := f.withOwnMaster(machines, func(o *master.Options) { o.ShardsPerCluster = perCluster })
	for i := range machines {
		f.add(fmt.Sprintf("m%d", i+1), f.bots(func(string, int) (sim.Program, error) {
			e := fakecluster.Env{Discord: f.discord, Library: fakecluster.AnyLibrary(f.discord), Boot: f.upTo(25 * time.Second)}
			switch f.loop.Rand.IntN(4) {
			case 0:
				e.Silent = max(f.upTo(e.Boot), 1)
			case 1:
				e.Silent = 20*time.Second + f.upTo(30*time.Second)
				e.Boot = e.Silent + f.upTo(9*time.Second)
			}
			if odd != nil {
				odd(&e)
			}
			return e.Program, nil
		}), sesame, environment(messages.ReadyRule{After: 30 * time.Second}))
	}
	return own
}

// upTo returns a random time.
func (f *fleet) upTo(most time.Duration) time.Duration {
	return time.Duration(f.loop.Rand.Int64N(int64(most) + 1))
}

// Bots that pace themselves, each library in its own way, break no limit by their default rule:
// while they start, while they die, and while their CONTROL is away.
func TestEnvLibraries(t *testing.T) {
	seeds(t, func(f *fleet) {
		machines, maxConcurrency := 1+f.loop.Rand.IntN(2), 1<<f.loop.Rand.IntN(3)
		// MASTER places elsewhere what a machine serves whose CONTROL is away for long
		f.doubles = machines > 1
		own := f.envFleet(machines, 20, maxConcurrency, 5, nil)
		for end := f.loop.Now() + 15*time.Minute; f.loop.Now() < end; {
			f.pass(f.upTo(2 * time.Minute))
			m := f.inOrder()[f.loop.Rand.IntN(machines)]
			switch f.loop.Rand.IntN(3) {
			case 0:
				if all := m.Processes(); len(all) > 0 {
					all[f.loop.Rand.IntN(len(all))].Signal(syscall.SIGKILL)
				}
			case 1:
				m.Crash()
				f.pass(f.upTo(3 * time.Minute))
				f.boot(m, sesame, environment(messages.ReadyRule{After: 30 * time.Second}))
			}
		}
		f.pass(time.Second) // every started process runs now
		f.must("every shard READY", 30*time.Minute, func() bool {
			f.recover()
			return f.owned(20)()
		})
		want(f, "identify.unaccounted", own.saw("identify.unaccounted"), 0)
	})
}

// A bot whose rule is a time is only assumed ready: its machine reports it so, and one that dies a
// while later again and again is given up like any that never starts.
func TestEnvIsAssumedReady(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.envs(2, 2, func(string, int) fakecluster.Env { return fakecluster.Env{DieAfter: 2 * time.Minute} }, environment(messages.ReadyRule{After: 30 * time.Second}))
		f.must("ready", 2*time.Minute, f.sawN("cluster.ready", 1))
		want(f, "assumed", last[messages.ClusterReady](f).Assumed, true)
		f.must("assumed", time.Second, func() bool { return last[messages.ClusterMoved](f).Assumed })
		f.must("given up", 15*time.Minute, f.sawN("cluster.gave_up", 1))
		want(f, "starts", f.starts["0"], 4)
		f.must("nothing is assumed", time.Second, func() bool { return !last[messages.ClusterMoved](f).Assumed })
		f.stop(m, 0)
	})
}

// A bot whose rule is true before all of its shards can be READY has reported something else: its
// buckets stay its own.
func TestEnvThatIsReadyTooSoon(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.envs(12, 2, func(cluster string, _ int) fakecluster.Env {
			return fakecluster.Env{Boot: f.upTo(20 * time.Second), Silent: time.Second}
		},
			environment(messages.ReadyRule{Log: regexp.MustCompile("starting")}), func(o *actors.Options) { o.Cluster.ShardsPerCluster = 6 })
		f.must("it is told what is waited for", time.Minute, func() bool {
			return slices.ContainsFunc(events[messages.ClusterMoved](f), func(e messages.ClusterMoved) bool { return strings.Contains(e.Waits, "true too soon") })
		})
		f.must("every shard READY", 5*time.Minute, f.owned(12))
		f.must("ready", 5*time.Minute, f.sawN("cluster.ready", 2))
	})
}

// A bot that died while its CONTROL was away is back at once: the buckets that were kept for it are
// unused, whether it served or still started.
func TestEnvIsBackAtOnce(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.envFleet(1, 5, 1, 5, nil)
		m := f.machines["m1"]
		f.must("it runs", time.Minute, f.running(m, 1))
		f.pass(f.upTo(3 * time.Minute))
		m.Crash()
		f.pass(f.upTo(time.Second))
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.pass(f.upTo(time.Second))
		f.boot(m, sesame, environment(messages.ReadyRule{After: 30 * time.Second}))
		f.must("it runs again", 10*time.Second, f.running(m, 1))
		f.must("every shard READY", 5*time.Minute, f.owned(5))
	})
}
