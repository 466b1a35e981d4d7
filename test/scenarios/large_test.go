package scenarios

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/rules"
)

// A start over twenty machines, at the usual concurrencies, with clusters that serve already dying
// throughout: it takes what Discord's floor allows, 2 % and a second more, and the links' delays;
// no identify comes too early, and none is spent on the deaths.
func TestStartOfTwentyMachines(t *testing.T) {
	for _, c := range []struct{ concurrency, shards int }{{1, 200}, {16, 640}, {64, 2560}} {
		t.Run(fmt.Sprintf("max_concurrency %d", c.concurrency), func(t *testing.T) {
			seedsOf(t, 2, func(f *fleet) {
				f.withDiscord(rules.Config{ShardCount: c.shards, MaxConcurrency: c.concurrency, IdentifyTotal: 100_000})
				f.withOwnMaster(20)
				for i := range 20 {
					f.add(fmt.Sprintf("m%02d", i+1), f.good(nil), sesame, mortal)
				}
				floor := f.rules.Floor(c.shards)
				all := func() bool {
					_, ready := f.discord.Rules.Score().AllReady(c.shards)
					return ready
				}
				for end := f.loop.Now() + time.Minute + 2*floor; !all() && f.loop.Now() < end; {
					f.pass(time.Duration(500+f.loop.Rand.IntN(1500)) * time.Millisecond)
					f.killOneThatServes(fmt.Sprintf("m%02d", 1+f.loop.Rand.IntN(20)))
				}
				score := f.discord.Rules.Score()
				last, ready := score.AllReady(c.shards)
				want(f, "every shard READY once", ready, true)
				first := last
				for _, s := range score.Shards {
					if s.IdentifyAt[0].Before(first) {
						first = s.IdentifyAt[0]
					}
				}
				took, most := last.Sub(first), floor+floor/50+time.Second
				t.Logf("%d shards took %v of %v", c.shards, took, most)
				if took > most {
					t.Errorf("%d shards took %v, want at most %v", c.shards, took, most)
				}
				want(f, "identifies", f.identifies(), c.shards)
			})
		})
	}
}

// killOneThatServes kills a process of a machine whose shards are all READY, if it has one.
func (f *fleet) killOneThatServes(name string) {
	m := f.machines[name]
	for _, p := range m.Processes() {
		var id messages.ClusterID
		if _, err := fmt.Sscan(p.Env("CLUSTER_ID"), &id); err == nil && f.state(m, id) == messages.ClusterServing {
			p.Signal(syscall.SIGKILL)
			return
		}
	}
}
