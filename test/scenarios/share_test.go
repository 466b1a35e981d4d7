package scenarios

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// onTwoMachines starts 24 shards of forgetful bots on two machines, and returns once every machine
// has its share of the day's total.
func (f *fleet) onTwoMachines(total int, day time.Duration) *ownMaster {
	f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 8, IdentifyTotal: total, ResetAfter: day})
	own := f.withOwnMaster(2)
	for i := range 2 {
		f.add(fmt.Sprintf("m%d", i+1), f.good(forgetful), sesame)
	}
	f.must("every shard READY", 5*time.Minute, f.owned(24))
	f.pass(time.Minute)
	return own
}

// isBack wants every shard READY again within a time, and no identify that was not granted.
func (f *fleet) isBack(own *ownMaster, within time.Duration) {
	f.must("everything is back", within, func() bool {
		f.recover()
		return f.owned(24)()
	})
	want(f, "identify.unaccounted", own.saw("identify.unaccounted"), 0)
}

// MASTER is away for hours, and every four minutes a bot dies that can resume nothing. Discord's
// token is not reset, and the reserve stays: each machine spends its share, and reports that it
// waits. It does so although its CONTROL is started again, and although Discord's day ends, of
// which it cannot know. When MASTER is back, so is everything.
func TestNobodySpendsMoreThanItsShare(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		total := 24 + 48 + f.loop.Rand.IntN(150)
		own := f.onTwoMachines(total, 8*time.Hour)
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
			f.t.Fatalf("%d identifies although none were known to be left", more)
		}
		own.start()
		f.isBack(own, 10*time.Minute)
	})
}

// MASTER is started again while it cannot reach Discord: it learns the fleet's settings from its
// CONTROLs, and grants, but does not know what is left of the day. The machines pay from their
// shares, so that Discord's token is not reset however often their bots die; once Discord answers
// MASTER counts right, and when the day ends everything is back.
func TestMasterThatCannotAskSpendsTheShares(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		total := 24 + 36 + f.loop.Rand.IntN(60)
		own := f.onTwoMachines(total, 4*time.Hour)
		f.reserve = 24
		f.net.Cut("master", sim.DiscordPlace)
		own.Crash()
		own.start()
		kill := func(times int) {
			for range times {
				f.pass(4 * time.Minute)
				m := f.inOrder()[f.loop.Rand.IntN(2)]
				if all := m.Processes(); len(all) > 0 {
					all[f.loop.Rand.IntN(len(all))].Signal(syscall.SIGKILL)
				}
			}
		}
		kill(25)
		want(f, "machines linked", f.net.Links("m1", "master")+f.net.Links("m2", "master"), 2)
		want(f, "identify.budget_low", f.saw("identify.budget_low") > 0, true)
		if spent, least := f.identifies(), 24+(total-24)/8; spent < least {
			f.t.Fatalf("%d identifies of %d: the shares were not spent", spent, total)
		}
		f.net.Heal("master", sim.DiscordPlace)
		kill(20)
		f.reserve = 0
		f.isBack(own, 2*time.Hour)
	})
}

// MASTER does not know the day's budget, and a disk takes nothing, or cannot read the share, while
// bots die and CONTROL is started again each time: nothing is spent twice.
func TestShareOutlivesTheDisk(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		full := f.loop.Rand.IntN(2) == 0
		own := f.onTwoMachines(24+36+f.loop.Rand.IntN(40), 24*time.Hour)
		f.net.Cut("master", sim.DiscordPlace)
		own.Crash()
		own.start()
		for range 30 {
			f.pass(4 * time.Minute)
			m := f.inOrder()[f.loop.Rand.IntN(2)]
			if full {
				m.DiskErr = sim.ErrDiskFull
			} else {
				m.ReadErr = func(name string) error {
					if name == "gate.json" {
						return syscall.EIO
					}
					return nil
				}
			}
			for _, p := range m.Processes() {
				p.Signal(syscall.SIGKILL)
			}
			f.pass(time.Minute)
			f.crash(m)
			f.boot(m, sesame)
		}
		for _, m := range f.inOrder() {
			m.DiskErr, m.ReadErr = nil, nil
		}
		f.net.Heal("master", sim.DiscordPlace)
		f.pass(10 * time.Minute)
		want(f, "machines linked", f.net.Links("m1", "master")+f.net.Links("m2", "master"), 2)
	})
}

// For an hour a bot dies and the day's budget allows it nothing: MASTER is asked again once a
// minute for each shard, no more often as time goes by.
func TestRequestThatIsPutOffIsRepeatedOnce(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		asked := 0
		o := ours(initialise(8, 8))
		o.Initialise.Features = append(o.Initialise.Features, messages.FeaturePermits)
		o.Permit = func(r messages.PermitRequest) *messages.PermitAnswer {
			asked++
			return &messages.PermitAnswer{ID: r.ID, RetryAfterMS: messages.Millis(time.Minute), Reason: "budget"}
		}
		m := f.alone(8, 8, o, nil)
		f.connect(m, "c", 0, 7)
		f.pass(time.Minute)
		asked = 0
		f.pass(time.Hour)
		if asked < 8*55 || asked > 8*65 {
			f.t.Fatalf("8 requests were sent %d times within an hour, want once a minute each", asked)
		}
	})
}

// MASTER is started again while a machine is cut off from it that an earlier run lent a share: it
// knows nothing of that, and grants the others no more than leaves such shares alone. When the
// machine comes back the rest is there for all.
func TestShareOfAMachineThatMasterHasYetToMeet(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		total := 24 + 48 + f.loop.Rand.IntN(60)
		own := f.onTwoMachines(total, 24*time.Hour)
		f.doubles, f.forgets, f.mixed, f.reserve = true, true, true, 24
		f.settled()
		f.net.Cut("m2", "master")
		own.Crash()
		own.start()
		for n := range 20 { // more than 40 minutes
			m := f.inOrder()[0]
			if n >= 10 {
				m = f.inOrder()[1]
			}
			f.pass(2 * time.Minute)
			if all := m.Processes(); len(all) > 0 {
				f.kill(m, all[f.loop.Rand.IntN(len(all))])
			}
		}
		if left := f.discord.Rules.Counts().Remaining; left > total/2 {
			f.t.Fatalf("%d identifies of %d are left: nothing was spent", left, total)
		}
	})
}

// The report that a share is on disk is lost in a panic of CONTROL's own code. MASTER repeats the
// share with each heartbeat, and receives that the machine has it.
func TestShareWhoseReportIsLost(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.panics = true
		o := ours(initialise(8, 8))
		o.Share = func() *messages.BudgetShare {
			return &messages.BudgetShare{ID: 5, Total: 50, Remaining: 50, Reserve: 4}
		}
		m := f.alone(8, 8, o, nil)
		m.Panic = func(actor string, msg any) bool { return actor == "masterlink" && typeOf(msg) == "messages.ShareLeft" }
		f.pass(8 * time.Second) // the first heartbeat brings it
		m.Panic = nil
		f.pass(20 * time.Second)
		beats := sent[messages.Heartbeat](f, m)
		if s := beats[len(beats)-1].Share; s == nil || s.ID != 5 {
			f.t.Fatalf("the machine reports the share %+v, want number 5\n%s", s, f.log)
		}
	})
}

// A machine that has a share of the day's identifies dies, and an operator calls it dead: once
// Discord has counted what it spent, the other machine may spend the rest.
func TestShareOfTheDead(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		total := 24 + 100 + f.loop.Rand.IntN(60)
		own := f.onTwoMachines(total, 24*time.Hour)
		f.reserve = 24
		dead := f.has(f.machines["m2"])
		f.powerOff(f.machines["m2"])
		f.must("it is lost", time.Minute, func() bool { return own.saw("machine.lost") == 1 })
		want(f, "withheld while it is away", own.view().Budget.Lent, dead.Remaining)
		own.order("", messages.ForgetMachine{Source: "m2"})
		f.pass(time.Minute)
		want(f, "lent to it once it is called dead", own.view().Budget.Lent, 0)
		for range 45 { // three hours
			f.pass(4 * time.Minute)
			if all := f.machines["m1"].Processes(); len(all) > 0 {
				all[f.loop.Rand.IntN(len(all))].Signal(syscall.SIGKILL)
			}
		}
		if left, most := f.discord.Rules.Counts().Remaining, 24+(dead.Remaining-dead.Reserve)/2; left >= most {
			f.t.Fatalf("%d identifies are left, want less than %d: the share of the dead was not spent", left, most)
		}
		want(f, "identify.unaccounted", own.saw("identify.unaccounted"), 0)
	})
}
