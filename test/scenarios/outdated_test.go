package scenarios

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/rules"
)

// A machine comes back with what it served before the fleet was sharded again. It stops that at
// once, for it belongs to no machine now, is a spare, and serves with the current shard_count what
// it is given later.
func TestOutdatedMachine(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 24, MaxConcurrency: 4}, 3)
		f.pass(10 * time.Second)
		back := f.machines["m3"]
		power := f.loop.Rand.IntN(2) == 0
		if power {
			f.powerOff(back)
		} else { // its bots go on serving
			f.net.Cut("m3", "master")
			f.doubles = true
		}
		for _, name := range []string{"m1", "m2"} {
			f.stopControl(f.machines[name])
		}
		own.Crash()
		own.options.Shards, own.options.Expect = 48, 2
		own.start()
		f.boot(f.machines["m1"], sesame, mortal)
		f.boot(f.machines["m2"], sesame, mortal)
		f.must("whole with 48", 5*time.Minute, func() bool { return own.saw("fleet.operational") == 2 })
		if power {
			f.boot(back, sesame, mortal)
		} else {
			f.net.Heal("m3", "master")
		}
		f.must("it returns", 40*time.Second, func() bool { return own.saw("machine.outdated") == 1 })
		f.must("it has stopped what is of another shard_count", time.Second, f.running(back, 0))
		f.doubles = false
		f.pass(2 * time.Minute)
		want(f, "machine.outdated", own.saw("machine.outdated"), 1)
		want(f, "order.refused", f.saw("order.refused"), 0)
		drain := own.order("d", messages.DrainMachine{Source: "m1"})
		f.must("drained", 2*time.Minute, drain.over)
		want(f, "err", drain.err(), "")
		f.must("every shard READY", 2*time.Minute, f.owned(48))
		for _, m := range f.inOrder() {
			for _, p := range m.Processes() {
				want(f, m.Name+": cluster "+p.Env("CLUSTER_ID")+": SHARD_COUNT", p.Env("SHARD_COUNT"), "48")
			}
		}
		want(f, "it serves", len(back.Processes()) > 0, true)
	})
}

// MASTER sends another shard_count than that of what is served here. What it grants by it waits for
// the end of what it offloads, and is refused as long as it offloads nothing; what is served is
// left alone.
func TestConnectOfAnotherSharding(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(48, 16, ours(initialise(32, 16)), nil)
		f.serve(m, "c", 0, 31)
		f.master.Send("m1", initialise(48, 16))
		f.connect(m, "early", 32, 47)
		f.refused(m, "connect", "MASTER has shard_count 48 in clusters of 16, but what is served here is of shard_count 32 in clusters of 16; offload it first")
		f.master.Send("m1", messages.Offload{ID: "o1", Range: messages.ShardRange{First: 0, Last: 15}})
		f.master.Send("m1", messages.Offload{ID: "o2", Range: messages.ShardRange{First: 16, Last: 31}})
		f.connect(m, "late", 32, 47)
		f.connect(m, "same", 16, 31)
		f.must("operational", time.Minute, func() bool { return f.acked(m, "late", "operational")() && f.acked(m, "same", "operational")() })
		for _, p := range m.Processes() {
			want(f, "SHARD_COUNT", p.Env("SHARD_COUNT"), "48")
		}
		want(f, "order.refused", f.saw("order.refused"), 1)
		all := sent[messages.Info](f, m)
		want(f, "shard_count, as MASTER hears it", all[len(all)-1].ShardCount, 48)
		want(f, "CLUSTER_COUNT", m.Processes()[0].Env("CLUSTER_COUNT"), "3")
	})
}
