package scenarios

import (
	"testing"
	"time"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/transport/discord/rules"
)

// Bots that identify at their own pace start on two machines, their buckets kept for them for
// minutes, when MASTER, a CONTROL, or both restart: what is kept stays kept, though its keeper no
// longer knows it.
func TestStockFleetRestarts(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 40, MaxConcurrency: 1, IdentifyTotal: 100000})
		own := f.withOwnMaster(2)
		f.add("m1", f.stockPrograms(nil), sesame, discordoo)
		f.add("m2", f.stockPrograms(nil), sesame, discordoo)
		for range 3 {
			f.pass(time.Duration(10+f.loop.Rand.IntN(100)) * time.Second)
			which := 1 + f.loop.Rand.IntN(3)
			if which&1 != 0 {
				own.Crash()
			}
			if which&2 != 0 {
				m := f.one()
				m.Crash()
				f.pass(time.Duration(f.loop.Rand.IntN(5000)) * time.Millisecond)
				f.boot(m, sesame, discordoo)
			}
			if which&1 != 0 {
				f.pass(time.Duration(f.loop.Rand.IntN(1500)) * time.Millisecond)
				own.start()
			}
		}
		f.must("every shard READY", 40*time.Minute, f.owned(40))
		want(f, "identifies", f.identifies(), 40)
	})
}

// MASTER goes for good while a machine starts such bots: it goes on alone, one after the other.
func TestStockStartsOnAlone(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 20, MaxConcurrency: 1, IdentifyTotal: 100000})
		own := f.withOwnMaster(1, func(o *master.Options) { o.Alone = true })
		f.add("m1", f.stockPrograms(nil), sesame, discordoo)
		f.pass(time.Duration(5+f.loop.Rand.IntN(100)) * time.Second)
		own.Crash()
		f.must("every shard READY", 20*time.Minute, f.owned(20))
		want(f, "identifies", f.identifies(), 20)
	})
}

// CONTROL is killed while one such bot starts and another waits for its bucket: the next run keeps
// it for the one that starts.
func TestStockIsTakenBackBeforeAnother(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.stocks(20, 1, nil)
		f.must("the second starts", 10*time.Minute, func() bool { return len(m.Processes()) == 2 })
		f.killOneThatServes("m1")
		f.pass(time.Duration(f.loop.Rand.IntN(20000)) * time.Millisecond)
		m.Crash()
		f.pass(time.Duration(f.loop.Rand.IntN(5000)) * time.Millisecond)
		f.boot(m, discordoo)
		f.must("linked again", time.Minute, f.sawN("master.linked", 2))
		f.connect(m, "again", 0, 19)
		f.must("every shard READY", 20*time.Minute, f.owned(20))
	})
}
