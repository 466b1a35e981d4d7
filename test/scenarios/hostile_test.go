package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

func TestGoneOfOthers(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
		own := f.withOwnMaster(2)
		voices := map[string]fakecluster.Voice{}
		for i := range 2 {
			f.add(fmt.Sprintf("m%d", i+1), f.cast(func(c string, _ int) fakecluster.SDK {
				return fakecluster.SDK{Speaks: func(v fakecluster.Voice) { voices[c] = v }}
			}), sesame, mortal)
		}
		f.must("the fleet is whole", 2*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		m := f.machines["m1"]
		f.pass(10 * time.Second)
		before := f.identifies()
		v := voices[m.Processes()[0].Env("CLUSTER_ID")]
		var gone []int
		for i := range 24 {
			gone = append(gone, i)
		}
		v.Send(messages.InstanceSessions{EventID: "1", Gone: gone})
		f.pass(time.Second)
		f.powerOff(m)
		f.pass(31 * time.Second)
		f.must("owned", 10*time.Minute, f.owned(24))
		want(f, "identifies", f.identifies()-before, 4)
	})
}

func TestFrozenWhileABotBoots(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(8, 8, ours(initialise(8, 8)), map[string]fakecluster.SDK{"0": {Boot: 12 * time.Second}})
		f.connect(m, "c", 0, 7)
		f.pass(time.Second)
		m.Freeze(time.Duration(31+f.loop.Rand.IntN(8)) * time.Second)
		f.pass(2 * time.Minute)
		want(f, "cluster.died", f.saw("cluster.died"), 0)
	})
}

func TestDrainOfTheWaiting(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(8, 8, ours(initialise(8, 8)), map[string]fakecluster.SDK{"0": {ExitAfter: time.Second, NeverListen: true}})
		f.connect(m, "c", 0, 7)
		f.must("it waits", time.Minute, func() bool { return f.saw("cluster.died") == 3 })
		f.order(m, messages.DrainCluster{Cluster: 0})
		f.pass(time.Minute)
		want(f, "state", f.state(m, 0), messages.ClusterStopped)
		want(f, "cluster.stopped", f.saw("cluster.stopped"), 1)
	})
}

// CONTROL dies while it gives back a range whose bots ignore SIGTERM. The next one ends them, and
// serves the range of shard 0 as before; so does the one after it.
func TestStraysAreOfNoRange(t *testing.T) {
	seeds(t, func(f *fleet) {
		stays := fakecluster.SDK{IgnoreTerm: true}
		m := f.alone(40, 8, ours(initialise(40, 8)), map[string]fakecluster.SDK{"2": stays, "3": stays, "4": stays})
		f.connect(m, "c", 0, 15)
		f.connect(m, "d", 16, 39)
		f.must("all", 2*time.Minute, f.owned(40))
		f.pass(10 * time.Second)
		kept := f.processOf(m, "0")
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 16, Last: 39}})
		f.pass(time.Second)
		f.crash(m)
		f.boot(m)
		f.pass(time.Duration(100+f.loop.Rand.IntN(1500)) * time.Millisecond)
		f.crash(m)
		f.pass(100 * time.Millisecond)
		f.boot(m)
		f.pass(2 * time.Minute)
		want(f, "cluster 0 is the same process", f.processOf(m, "0") == kept, true)
		want(f, "processes", len(m.Processes()), 2)
	})
}

// A bot requests permits without end. It has one request a shard, and the other cluster is not held
// up.
func TestRequestsWithoutEnd(t *testing.T) {
	seeds(t, func(f *fleet) {
		var v fakecluster.Voice
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 1})
		f.withMaster(ours(initialise(16, 1)))
		m := f.add("m1", f.good(map[string]fakecluster.SDK{"0": {Speaks: func(x fakecluster.Voice) { v = x }}}))
		f.must("the link", time.Minute, f.sawN("master.linked", 1))
		f.connect(m, "c", 0, 15)
		f.must("all", 2*time.Minute, f.owned(16))
		for i := range 500 {
			v.Send(messages.PermitAsk{EventID: messages.Snowflake(fmt.Sprint(1000 + i)), Shard: 0, Cause: messages.CauseReidentify})
		}
		f.pass(time.Second)
		f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: 12})
		f.must("the other cluster identifies", time.Minute, f.owned(16))
	})
}
