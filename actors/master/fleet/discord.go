package fleet

import (
	"errors"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file asks Discord how many shards the bot should have, and how many identifies are left.
// MASTER obeys a Discord that refuses to be asked, also in its next run: asking again prolongs the
// lockout.

// discord holds what the fleet knows of Discord's answers.
type discord struct {
	posed        bool // a question is under way
	budgeted     bool // the budget was answered, in this run of MASTER
	answeredAt   time.Time
	notBefore    time.Time // it refuses to be asked until then
	tries        int
	unreachable  string // the last reason reported
	budgetErr    string // the last reason logged
	wrongCode    int    // Discord closed a shard of this count with it, and has to be asked for another; 0: none
	recommended  int    // shards, last
	recommendAt  time.Time
	blindEpoch   int64 // in which CONTROLs were greeted without Discord's answer; 0: none
	tokenRefused bool  // that is reported
}

// Refusal is Discord's demand not to be asked for a while.
type Refusal struct {
	NotBefore time.Time
	Err       string
}

// ErrUnauthorized is Discord's answer to a token that it does not know.
var ErrUnauthorized = errors.New("discord.token: Discord does not know it (401)")

const (
	// othersAfter is the time Discord may take to answer at MASTER's start, before CONTROLs are asked
	// what they serve: their leases run out while it waits.
	othersAfter = 2 * time.Second
	// freshFor is the time for which Discord's answer is good enough for a large start.
	freshFor = time.Minute
)

// ask asks Discord, unless everything was set by hand or a question is under way.
func (f *Fleet) ask() {
	if f.options.Shards > 0 && f.options.MaxConcurrency > 0 && f.wrongCode == 0 {
		if f.state == Asking {
			f.know(plan.GatewayBot{})
		}
		return
	}
	if wait := f.notBefore.Sub(f.now); wait > 0 {
		if f.state == Asking {
			f.in(wait)
		} else {
			f.do(Unanswered{})
		}
		return
	}
	if f.posed || f.halted != nil && f.state != Asking {
		return
	}
	if f.paced() {
		f.do(Counting{})
	}
	f.posed = true
	f.do(AskDiscord{})
}

// askAgain asks after a panic: Discord's answer may be what was lost.
func (f *Fleet) askAgain() {
	f.posed = false
	if !f.budgeted {
		f.ask()
	}
}

// askRecommended asks Discord how many shards it recommends, because it closed one of this count
// with code. The answer is reported once in a while, however many it closes.
func (f *Fleet) askRecommended(code int) {
	if f.wrongCode == 0 && f.now.Sub(f.recommendAt) > freshFor {
		f.wrongCode = code
		f.ask()
	}
}

// awaitsBudget asks Discord for the budget, unless it answered of late, and reports whether its
// answer is pending: it comes within 15 s, if at all.
func (f *Fleet) awaitsBudget() bool {
	if f.now.Sub(f.answeredAt) > freshFor {
		f.ask()
	}
	return f.posed
}

// read records that Discord answered, and returns why its answer is unusable.
func (f *Fleet) read(e Answered) error {
	f.posed, f.answeredAt = false, f.now
	var refused *plan.GatewayBotError
	switch {
	case e.Err == nil:
		f.tries = 0
	case errors.As(e.Err, &refused) && refused.Wait > 0:
		f.notBefore = f.now.Add(refused.Wait)
		f.do(Remember{Refusal{f.notBefore, refused.Error()}})
	}
	return e.Err
}

// answered takes the answer at MASTER's start. The question is repeated until one comes.
func (f *Fleet) answered(e Answered) {
	switch err := f.read(e); {
	case errors.Is(err, ErrUnauthorized):
		f.raise(messages.TokenRefused{Err: "Discord answered 401"})
		f.do(Fail{err})
	case err != nil:
		wait := plan.AskDiscordAfter(err, f.tries, f.random())
		f.tries++
		f.complain(err.Error(), wait)
		f.in(wait)
		f.askMachines()
	default:
		f.budgeted = true
		f.know(e.Bot)
	}
}

// withoutAsking is advice to an operator on how to start without Discord's answer.
const withoutAsking = "fleet.shards and fleet.max_concurrency, both set by hand, start the fleet without asking"

// complain reports once, for each reason, why Discord's answer is missing.
func (f *Fleet) complain(err string, wait time.Duration) {
	if err == f.unreachable {
		return
	}
	f.unreachable = err
	e := messages.DiscordUnreachable{Err: err, RetryInMS: messages.Millis(wait)}
	if wait > time.Minute {
		e.Hint = withoutAsking
	}
	f.raise(e)
}

// recallRefusal obeys what Discord answered an earlier run of MASTER. A clock that was wrong costs
// a day at most.
func (f *Fleet) recallRefusal(r Refusal) {
	wait := r.NotBefore.Sub(f.now)
	if wait <= 0 || wait > plan.WaitMost {
		return
	}
	f.notBefore = r.NotBefore
	f.unreachable = r.Err
	f.raise(messages.DiscordUnreachable{Err: r.Err, RetryInMS: messages.Millis(wait), Hint: withoutAsking})
}

// askMachines greets CONTROLs with all that is known without Discord: those that serve report the
// fleet's settings. There are no permits in this state, so that they pace themselves, by their
// slots.
func (f *Fleet) askMachines() {
	if f.state != Asking || f.blindEpoch > 0 {
		return
	}
	f.blindEpoch = f.epoch
	for _, m := range f.inOrder() {
		f.greet(m)
	}
}

// learned takes the report of a CONTROL while Discord's answer is missing. The fleet is what it
// serves; it reports again when it is greeted with that. The budget is asked for until it is known.
func (f *Fleet) learned(e Informed) {
	if i := e.Info; len(i.Ranges) > 0 && i.ShardCount > 0 && i.ShardsPerCluster > 0 && i.MaxConcurrency > 0 {
		f.settings.perCluster = i.ShardsPerCluster
		f.know(plan.GatewayBot{Shards: i.ShardCount, MaxConcurrency: i.MaxConcurrency})
		f.ask()
	}
}

// recounted takes Discord's answer while the fleet serves: the budget counts, the number of shards
// is pinned. A start may have waited for it.
func (f *Fleet) recounted(e Answered) {
	defer f.settle()
	if err := f.read(e); err != nil {
		// what is served goes on: its bots will find out
		if errors.Is(err, ErrUnauthorized) && !f.tokenRefused {
			f.tokenRefused = true
			f.raise(messages.TokenRefused{Err: "Discord answered 401"})
		}
		if f.budgetErr != err.Error() {
			f.budgetErr = err.Error()
			f.do(Warn{err})
		}
		f.do(Unanswered{})
		if !f.budgeted || f.wrongCode != 0 {
			f.after(plan.AskDiscordAfter(err, max(f.tries, 4), f.random()), Recount{})
			f.tries++
		}
		return
	}
	f.budgeted, f.budgetErr = true, ""
	f.repace(e.Bot.MaxConcurrency)
	f.do(f.budget(e.Bot))
	f.recommend(e.Bot.Shards)
}

// repace follows another max_concurrency of Discord's: every machine is greeted with it before the
// governor grants by it.
func (f *Fleet) repace(maxConcurrency int) {
	if f.options.MaxConcurrency > 0 || maxConcurrency == f.settings.maxConcurrency {
		return
	}
	f.settings.maxConcurrency = maxConcurrency
	f.raise(messages.FleetAsked{ShardCount: f.settings.shards, MaxConcurrency: maxConcurrency})
	for _, m := range f.inOrder() {
		f.greet(m)
	}
	f.do(Repace{maxConcurrency})
}

// recommend reports what Discord recommends: always after it closed a shard of this count, else
// when it changed, where the operator left the count to Discord.
func (f *Fleet) recommend(shards int) {
	switch {
	case f.wrongCode != 0:
		f.raise(messages.ShardsRecommended{ShardCount: f.settings.shards, Recommended: shards, CloseCode: f.wrongCode, Hint: plan.FatalHint(f.wrongCode)})
		f.wrongCode, f.recommendAt = 0, f.now
	case shards != f.settings.shards && shards != f.recommended && f.options.Shards == 0:
		f.raise(messages.ShardsRecommended{ShardCount: f.settings.shards, Recommended: shards})
	}
	f.recommended = shards
}

// budget returns the identify budget of an answer, and what is known of those that identify.
func (f *Fleet) budget(g plan.GatewayBot) Budget {
	b := Budget{Blind: f.unknownMayReturn()}
	if g.Total > 0 {
		b.Budget = plan.NewBudget(g.Total, g.Remaining, f.settings.shards, f.now.Add(g.ResetAfter))
	}
	for _, m := range f.inOrder() {
		b.Blind = b.Blind || m.pacesItself
		if m.link == 0 && len(m.ranges) > 0 {
			b.Away = append(b.Away, m.source)
		}
	}
	return b
}
