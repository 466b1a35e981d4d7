package master

import (
	"errors"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file is what MASTER asks Discord: how many shards the bot is to have, and how many of them may identify.

// statusUnauthorized is HTTP's for a token that Discord does not know.
const statusUnauthorized = 401

// discordSaid is Discord's answer.
type discordSaid struct {
	response world.Response
	err      error
}

// IgnoreDeadLetterLogging: it may come after MASTER has stopped.
func (discordSaid) IgnoreDeadLetterLogging() {}

// errUnauthorized is Discord's answer to a token that it does not know.
var errUnauthorized = errors.New("discord.token: Discord does not know it (401)")

// recount (governor → fleet): Discord is to be asked how many may identify today.
type recount struct{}

// askOthers: Discord takes its time.
type askOthers struct{}

// These may come after MASTER has stopped; that is no news.
func (recount) IgnoreDeadLetterLogging()   {}
func (askOthers) IgnoreDeadLetterLogging() {}

// othersAfter is how long Discord may take to answer at MASTER's start, before CONTROLs are asked what they serve: their leases run meanwhile.
const othersAfter = 2 * time.Second

// ask puts the question to Discord, unless everything was set by hand. Where it is under way it is not put again.
func (f *Fleet) ask(ctx actor.Context) {
	if f.options.Shards > 0 && f.options.MaxConcurrency > 0 && f.refusal == 0 {
		if f.State() == "asking" {
			f.know(ctx, plan.GatewayBot{})
		}
		return
	}
	if wait := time.Until(f.notBefore); wait > 0 { // Discord's own word
		if f.State() == "asking" {
			f.In(ctx, wait)
		} else if f.governor != nil {
			ctx.Send(f.governor, unanswered{})
		}
		return
	}
	if f.cancel != nil || f.halted != nil && f.State() != "asking" {
		return
	}
	if f.governor != nil {
		ctx.Send(f.governor, counting{})
	}
	send := world.Sender(ctx)
	f.cancel = f.W.Fetch(world.Request{
		Method: "GET", URL: f.options.API + plan.GatewayBotPath, Timeout: 15 * time.Second, Stay: true,
		Header: map[string]string{"Authorization": "Bot " + f.options.Token.Reveal(), "User-Agent": "DiscordBot (https://github.com/discluster/control, 1)"},
	}, func(r world.Response, err error) { send(discordSaid{r, err}) })
}

// askRecommended asks Discord how many shards it recommends, because it refused one of this number;
// the answer is reported once in a while, however many it refuses.
func (f *Fleet) askRecommended(ctx actor.Context, code int) {
	if f.refusal == 0 && time.Since(f.refused) > freshFor {
		f.refusal = code
		f.ask(ctx)
	}
}

// recommend reports what Discord recommends: after a refusal in any case, else when it is another
// number than before, and the operator left it to Discord.
func (f *Fleet) recommend(shards int) {
	switch {
	case f.refusal != 0:
		f.raise(messages.ShardsRecommended{ShardCount: f.settings.shards, Recommended: shards, CloseCode: f.refusal, Hint: plan.FatalHint(f.refusal)})
		f.refusal, f.refused = 0, time.Now()
	case shards != f.settings.shards && shards != f.advised && f.options.Shards == 0:
		f.raise(messages.ShardsRecommended{ShardCount: f.settings.shards, Recommended: shards})
	}
	f.advised = shards
}

// askAgain asks after a panic of ours: Discord's answer may be what was lost.
func (f *Fleet) askAgain(ctx actor.Context) {
	f.cancel = nil
	if !f.budgeted {
		f.ask(ctx)
	}
}

// freshFor is how long Discord's answer counts for a large start.
const freshFor = time.Minute

// counts asks Discord how many may identify today, unless it said so of late, and reports whether its answer is to come: within 15 s, if it is to come at all.
func (f *Fleet) counts(ctx actor.Context) bool {
	if time.Since(f.heard) > freshFor {
		f.ask(ctx)
	}
	return f.cancel != nil
}

// read is Discord's answer, or why it cannot be gone by.
func (f *Fleet) read(m discordSaid) (g plan.GatewayBot, err error) {
	f.cancel, f.heard = nil, time.Now()
	switch {
	case m.err != nil:
		return g, m.err
	case m.response.Status == statusUnauthorized:
		return g, errUnauthorized
	}
	g, err = plan.ReadGatewayBot(m.response.Status, m.response.Header, m.response.Body, time.Now())
	var refused *plan.GatewayBotError
	switch {
	case err == nil:
		f.tries = 0
	case errors.As(err, &refused) && refused.Wait > 0:
		f.obey(refused)
	}
	return g, err
}

// answered is the answer at MASTER's start, which is asked for until it comes.
func (f *Fleet) answered(ctx actor.Context, m discordSaid) {
	g, err := f.read(m)
	switch {
	case errors.Is(err, errUnauthorized):
		f.raise(messages.TokenRefused{Err: "Discord answered 401"})
		f.options.Failed(err)
	case err != nil:
		wait := plan.AskDiscordAfter(err, f.tries, f.W.Rand())
		f.tries++
		f.complain(err, wait)
		f.In(ctx, wait)
		f.askOthers(ctx)
	default:
		f.budgeted = true
		f.know(ctx, g)
	}
}

// askOthers tells the CONTROLs that are linked, and those to come, all that is known without Discord; those that serve say what the fleet is. There is nobody to give permits
// yet: they pace themselves, by their slots.
func (f *Fleet) askOthers(ctx actor.Context) {
	if f.State() != "asking" || f.blind > 0 {
		return
	}
	f.blind = f.epoch
	for _, s := range f.inOrder() {
		f.greet(ctx, s)
	}
}

// learned is what a CONTROL says while Discord has said nothing. What it serves is what the fleet is; it says it again when it is told. How many may identify today is asked
// for until it is known.
func (f *Fleet) learned(ctx actor.Context, m informed) {
	if i := m.info; len(i.Ranges) > 0 && i.ShardCount > 0 && i.ShardsPerCluster > 0 && i.MaxConcurrency > 0 {
		f.settings.perCluster = i.ShardsPerCluster
		f.know(ctx, plan.GatewayBot{Shards: i.ShardCount, MaxConcurrency: i.MaxConcurrency})
		f.ask(ctx)
	}
}

// recounted is the answer while the fleet serves: the budget counts, the number of shards is pinned. A start may have waited for it.
func (f *Fleet) recounted(ctx actor.Context, m discordSaid) {
	defer f.settle(ctx)
	g, err := f.read(m)
	if err != nil {
		if errors.Is(err, errUnauthorized) && f.said != err.Error() { // what is served goes on; its bots learn soon enough whether it is so
			f.said = err.Error()
			f.raise(messages.TokenRefused{Err: "Discord answered 401"})
		}
		if f.unknown != err.Error() {
			f.unknown = err.Error()
			f.Log.Warn().Err(err).Msg("what may identify today is unknown")
		}
		ctx.Send(f.governor, unanswered{})
		if !f.budgeted || f.refusal != 0 {
			f.After(ctx, plan.AskDiscordAfter(err, max(f.tries, 4), f.W.Rand()), recount{})
			f.tries++
		}
		return
	}
	f.budgeted, f.unknown = true, ""
	f.follow(ctx, g.MaxConcurrency)
	ctx.Send(f.governor, f.discordSays(g))
	f.recommend(g.Shards)
}

// follow takes another max_concurrency of Discord's: every machine is told before the governor
// grants by it.
func (f *Fleet) follow(ctx actor.Context, maxConcurrency int) {
	if f.options.MaxConcurrency > 0 || maxConcurrency == f.settings.maxConcurrency {
		return
	}
	f.settings.maxConcurrency = maxConcurrency
	f.raise(messages.FleetAsked{ShardCount: f.settings.shards, MaxConcurrency: maxConcurrency})
	for _, s := range f.inOrder() {
		f.greet(ctx, s)
	}
	ctx.Send(f.governor, concurrency{maxConcurrency})
}

// budget is what may identify today.
func (f *Fleet) budget(g plan.GatewayBot) plan.Budget {
	if g.Total == 0 {
		return plan.Budget{}
	}
	return plan.NewBudget(g.Total, g.Remaining, f.settings.shards, time.Now().Add(g.ResetAfter))
}
