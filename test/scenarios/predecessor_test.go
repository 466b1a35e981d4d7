package scenarios

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/transport/discord/rules"
)

// In a fleet's first start no machine has anything of an earlier MASTER, and nothing is waited for.
func TestFirstStartWaitsForNothing(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 48, MaxConcurrency: 4})
		f.withOwnMaster(3)
		for i := range 3 {
			f.add(fmt.Sprintf("m%d", i+1), f.good(nil), sesame, mortal)
		}
		f.must("the first identify", 4*time.Second, func() bool { return f.identifies() > 0 })
	})
}

// starting returns a fleet of three machines in the middle of its start.
func (f *fleet) starting() *ownMaster {
	f.withDiscord(rules.Config{ShardCount: 48, MaxConcurrency: 4})
	own := f.withOwnMaster(3)
	for i := range 3 {
		f.add(fmt.Sprintf("m%d", i+1), f.good(nil), sesame, mortal)
	}
	f.must("under way", 2*time.Minute, func() bool { return f.identifies() > 8 })
	return own
}

// MASTER is killed and started again at once, at any moment of a start, again and again: the first
// machine back is granted nothing that may collide with what MASTER granted, a run before, to those
// that are not back.
func TestMasterRestartsInAStart(t *testing.T) {
	seedsOf(t, 40, func(f *fleet) {
		own := f.starting()
		for range 4 {
			f.pass(time.Duration(f.loop.Rand.IntN(9000)) * time.Millisecond)
			own.Crash()
			f.pass(time.Duration(f.loop.Rand.IntN(1500)) * time.Millisecond)
			own.start()
		}
		f.must("every shard READY", 3*time.Minute, f.owned(48))
		want(f, "identifies", f.identifies(), 48)
	})
}

// The same, and a machine is cut off, or loses its power, in the same moment.
func TestMasterRestartsBesideACut(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.starting()
		f.doubles = true
		f.pass(time.Duration(f.loop.Rand.IntN(20000)) * time.Millisecond)
		m := f.one()
		if f.loop.Rand.IntN(2) == 0 {
			f.powerOff(m)
		} else {
			f.net.Cut(m.Name, "master")
		}
		own.Crash()
		own.start()
		f.pass(time.Minute)
	})
}
