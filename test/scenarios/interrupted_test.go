package scenarios

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/discord/rules"
)

// MASTER dies at any moment of a drain, and restarts: what is left moves on by itself, with its
// sessions. A repeated order for the same drain is answered with its end.
func TestDrainGoesOn(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 3)
		f.pass(6 * time.Second) // MASTER has heard of every session
		m := f.one()
		own.order("d1", messages.DrainMachine{Source: m.Name})
		f.pass(time.Duration(f.loop.Rand.IntN(500)) * time.Millisecond)
		own.Crash()
		f.pass(time.Duration(f.loop.Rand.IntN(5000)) * time.Millisecond)
		own.start()
		moved := func() bool { return len(m.Processes()) == 0 && f.owned(60)() && f.everywhere() == 15 }
		if f.loop.Rand.IntN(2) == 0 {
			o := own.order("d1", messages.DrainMachine{Source: m.Name})
			f.must("drained", 2*time.Minute, o.over)
			want(f, "err", o.err(), "")
			want(f, "moved", moved(), true)
		}
		f.must("moved", 2*time.Minute, moved)
		f.pass(time.Minute)
		want(f, "moved for good", moved(), true)
		want(f, "identifies", f.identifies(), 60)
	})
}

// MASTER dies in the middle of a rolling restart of the fleet, and restarts: the machine in its
// part of it reports that, and MASTER goes on after it. An order with the same id makes MASTER go
// on at any moment, also between two machines. No cluster is restarted twice.
func TestRollingRestartGoesOn(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.succeeds = true
		own := f.fleetOf(rules.Config{ShardCount: 36, MaxConcurrency: 4}, 3)
		before := maps.Clone(f.starts)
		o := own.order("r1", messages.RollingRestart{})
		asks := f.loop.Rand.IntN(2) == 0
		if asks {
			f.pass(time.Duration(f.loop.Rand.IntN(6000)) * time.Millisecond)
		} else {
			steps := 1 + f.loop.Rand.IntN(8)
			f.must("a machine is at its part", 5*time.Minute, func() bool {
				all := o.moves()
				return len(all) > steps && !strings.HasSuffix(all[len(all)-1].Progress, "the 3. of this machine") && strings.HasPrefix(all[len(all)-1].Progress, "cluster")
			})
		}
		own.Crash()
		f.pass(time.Duration(f.loop.Rand.IntN(20000)) * time.Millisecond)
		own.start()
		if asks {
			o = own.order("r1", messages.RollingRestart{})
		}
		f.must("done", 5*time.Minute, o.over)
		want(f, "err", o.err(), "")
		for cluster, n := range f.starts {
			want(f, "starts of cluster "+cluster, n, before[cluster]+1)
		}
		want(f, "owned", f.owned(36)(), true)
		want(f, "identifies", f.identifies(), 36)
	})
}
