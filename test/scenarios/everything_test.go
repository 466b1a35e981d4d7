package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// everything is the state of a run of it: bots, CONTROL, MASTER, the network, Discord and CONTROL's
// own code.
type everything struct {
	*fleet
	m      *machine
	own    *ownMaster
	master bool // MASTER runs
}

// wrongs lists everything that may go wrong, alone and together.
var wrongs = []func(*everything){
	(*everything).killOne, (*everything).killOne,
	(*everything).hangOne,
	func(e *everything) { // CONTROL dies, and is away for a while
		if !e.m.gone {
			e.crash(e.m)
			e.pass(time.Duration(e.loop.Rand.IntN(15000)) * time.Millisecond)
			e.boot(e.m, sesame)
		}
	},
	func(e *everything) { e.m.Freeze(time.Duration(e.loop.Rand.IntN(60000)) * time.Millisecond) },
	func(e *everything) { // MASTER dies, or comes back
		if e.master = !e.master; e.master {
			e.own.start()
		} else {
			e.own.Crash()
		}
	},
	func(e *everything) { e.setClock(e.m.Host) },
	func(e *everything) { // the disk takes nothing, or does again
		e.m.DiskErr = nil
		if e.loop.Rand.IntN(2) == 0 {
			e.m.DiskErr = sim.ErrDiskFull
		}
	},
	func(e *everything) { e.blind(e.m) },
	func(e *everything) { e.see(e.m) },
	func(e *everything) { e.see(e.m) },
	func(e *everything) { e.title(e.m) },
	func(e *everything) { e.helper(e.m) },
	func(e *everything) { e.setClock(e.own.Host) },
	func(e *everything) { // the machine can start nothing for a while
		e.m.StartErr = nil
		if e.loop.Rand.IntN(2) == 0 {
			e.m.StartErr = troubles[e.loop.Rand.IntN(len(troubles))]
		}
	},
	func(e *everything) { e.m.Starve(time.Duration(e.loop.Rand.IntN(60000)) * time.Millisecond) },
	func(e *everything) { e.net.Cut("m1", "master") },
	func(e *everything) { e.net.Heal("m1", "master") },
	func(e *everything) { e.discord.Step(rules.Fault{Kind: rules.FaultReconnect, Shard: rules.All}) },
	func(e *everything) {
		e.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: e.loop.Rand.IntN(24), Resumable: e.loop.Rand.IntN(2) == 0})
	},
	func(e *everything) {
		e.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: rules.All, Code: rules.CloseVanished})
	},
	func(e *everything) { // CONTROL's own code panics for a few seconds, now here, now there
		actors := []string{"masterlink", "gate", "sessions", "router", "clusters", "cluster/0", "cluster/1", "cluster/2"}
		victim := actors[e.loop.Rand.IntN(len(actors))]
		e.m.Panic = func(actor string, msg any) bool {
			return actor == victim && !strings.HasPrefix(typeOf(msg), "*actor.") && e.loop.Rand.IntN(10) == 0
		}
		e.pass(2 * time.Second)
		e.m.Panic = nil
	},
	func(e *everything) { e.order(e.m, messages.RollingRestart{}) },
	func(e *everything) {
		e.order(e.m, messages.StopCluster{Cluster: messages.ClusterID(e.loop.Rand.IntN(3))})
	},
	func(e *everything) {
		e.order(e.m, messages.DrainCluster{Cluster: messages.ClusterID(e.loop.Rand.IntN(3))})
	},
	func(e *everything) {
		for _, p := range e.m.Processes() {
			e.kill(e.m, p)
		}
	},
	func(e *everything) { // on and on
		actors := []string{"masterlink", "gate", "sessions", "router", "clusters", "cluster/0", "cluster/1", "cluster/2", "commander"}
		victim := actors[e.loop.Rand.IntN(len(actors))]
		e.order(e.m, messages.RestartCluster{Cluster: messages.ClusterID(e.loop.Rand.IntN(3))})
		e.m.Panic = func(actor string, msg any) bool {
			return actor == victim && !strings.HasPrefix(typeOf(msg), "*actor.") && e.loop.Rand.IntN(3) == 0
		}
		e.pass(time.Duration(e.loop.Rand.IntN(8000)) * time.Millisecond)
		e.m.Panic = nil
	},
	func(e *everything) { e.restart(e.m, messages.ClusterID(e.loop.Rand.IntN(3))) },
	func(e *everything) { e.gateway.spike(e.loop.Rand.IntN(24)) },
}

func (e *everything) killOne() {
	if all := e.m.Processes(); len(all) > 0 {
		e.kill(e.m, all[e.loop.Rand.IntN(len(all))])
	}
}

func (e *everything) hangOne() {
	if all := e.m.Processes(); len(all) > 0 {
		e.hang(e.m, all[e.loop.Rand.IntN(len(all))])
	}
}

// Everything goes wrong for five minutes. During that no limit is broken and no shard has two
// owners; when it stops every shard is READY again, by one process a cluster.
func TestEverything(t *testing.T) {
	seedsOf(t, 15, func(f *fleet) {
		f.panics, f.succeeds = true, true
		bots := f.anyKind()
		f.withDiscord(f.scarce(rules.Config{ShardCount: 24, MaxConcurrency: 8}))
		e := &everything{fleet: f, own: f.withOwnMaster(1), master: true}
		e.m = f.add("m1", bots, sesame)
		f.must("its share", time.Minute, func() bool { return f.has(e.m).ID > 0 })
		f.settled()
		silence := f.gateway.stream(24, false)
		for end := f.loop.Now() + 5*time.Minute; f.loop.Now() < end; {
			f.pass(time.Duration(f.loop.Rand.IntN(15000)) * time.Millisecond)
			wrongs[f.loop.Rand.IntN(len(wrongs))](e)
			f.gateway.judges()
		}
		silence()
		f.net.Heal("m1", "master")
		e.m.StartErr = nil
		if !e.master {
			e.own.start()
		}
		f.see(e.m)
		e.m.DiskErr = nil
		f.pass(time.Minute) // a frozen one wakes
		ok := func() bool { return f.owned(24)() && len(e.m.Bots()) == 3 }
		f.mustOnceAffordable("every shard READY once it stops", 10*time.Minute, f.spent, func() {
			f.recover()
			for id := range messages.ClusterID(3) {
				if st := f.state(e.m, id); st == messages.ClusterDetached || st == messages.ClusterStopped {
					f.restart(e.m, id)
				}
			}
		}, ok)
		f.pass(time.Minute)
		f.mustOnceAffordable("every shard READY", 5*time.Minute, f.spent, f.recover, ok) // a rolling restart may go on, whose clusters are held back for their identifies
		f.gateway.completes()
	})
}
