package scenarios

import (
	"testing"
	"time"

	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// The link to CONTROL's own MASTER breaks again and again while a machine starts and its bots die:
// whichever grants, MASTER or the machine that believes itself alone, keeps the limit.
func TestLinkThatBreaksWhileIdentifying(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 40, MaxConcurrency: 2})
		f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		for end := f.loop.Now() + 2*time.Minute; f.loop.Now() < end; {
			f.pass(time.Duration(f.loop.Rand.IntN(9000)) * time.Millisecond)
			f.net.Drop("m1", "master")
			if f.loop.Rand.IntN(4) == 0 {
				if all := m.Processes(); len(all) > 0 {
					all[f.loop.Rand.IntN(len(all))].Exit(1, "")
				}
			}
		}
		f.mustWithHelp(m, 20, "every shard READY", 5*time.Minute, f.owned(40))
	})
}

// A machine cannot reach Discord, for a while: nothing of it is restarted or moved, and its shards
// are back by themselves.
func TestMachineCutOffFromDiscord(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		m := f.one()
		pids := f.pids(m)
		f.net.Cut(m.Name, sim.DiscordPlace)
		f.must("its shards are away", time.Minute+41*time.Second, func() bool { return f.discord.Rules.Counts().Owned <= 40 })
		f.pass(time.Duration(f.loop.Rand.IntN(600)) * time.Second)
		want(f, "machine.lost", own.saw("machine.lost"), 0)
		f.net.Heal(m.Name, sim.DiscordPlace)
		f.must("every shard READY", 3*time.Minute, f.owned(60))
		want(f, "the same processes", f.pids(m), pids)
	})
}
