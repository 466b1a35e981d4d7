package scenarios

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/transport/discord/rules"
)

// MASTER is away for hours, and every four minutes a bot dies that can resume nothing. Discord's
// token is not reset, and the reserve stays: each machine spends its share, and reports that it
// waits. It does so although its CONTROL is started again meanwhile, and although Discord's day
// ends, of which it cannot know. When MASTER is back, so is everything.
func TestNobodySpendsMoreThanItsShare(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		total := 24 + 48 + f.loop.Rand.IntN(150)
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8, IdentifyTotal: total, ResetAfter: 8 * time.Hour})
		own := f.withOwnMaster(2)
		for i := range 2 {
			f.add(fmt.Sprintf("m%d", i+1), f.good(forgetful), sesame)
		}
		f.must("every shard READY", 5*time.Minute, f.owned(24))
		f.pass(time.Minute) // everybody hears of its share
		f.reserve = 24
		own.Crash()
		for n := range 75 { // five hours
			f.pass(4 * time.Minute)
			m := f.inOrder()[f.loop.Rand.IntN(2)]
			if all := m.Processes(); len(all) > 0 {
				all[f.loop.Rand.IntN(len(all))].Signal(syscall.SIGKILL)
			}
			if n%10 == 9 {
				f.crash(m)
				f.boot(m, sesame)
			}
		}
		want(f, "identify.budget_low", f.saw("identify.budget_low") > 0, true)
		spent := f.identifies()
		if least := 24 + (total-24)/8; spent < least {
			f.t.Fatalf("%d identifies of %d: the shares were not spent", spent, total)
		}
		f.reserve = 0
		f.pass(4 * time.Hour) // Discord's day ends
		if more := f.identifies() - spent; more > 24 {
			f.t.Fatalf("%d identifies although nobody said that there are any", more)
		}
		own.start()
		f.must("everything is back", 10*time.Minute, func() bool {
			f.mend()
			return f.owned(24)()
		})
		want(f, "identify.unaccounted", own.saw("identify.unaccounted"), 0)
	})
}
