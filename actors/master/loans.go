package master

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file lends machines shares of the day's budget, to spend while MASTER is away. The ack of a
// heartbeat carries a share, and the next heartbeat reports the rest of it.

// loans holds what the governor has lent.
type loans struct {
	shards int // of the whole bot
	of     map[string]*loan
	last   int64 // id of a share
	unmet  bool  // a machine of an earlier run may be away that this one has not met
}

// loan holds the share of one machine.
type loan struct {
	plan.Loan
	left    time.Time // since when it is away; zero: it is linked
	unheard bool      // an earlier run may have lent it something, and it has not reported what

	// what an earlier run had lent, as the machine reported first: to it, and to others at most
	inherited                 bool
	earlierOwn, earlierOthers int

	dead bool // an operator declared the machine dead: it spends nothing more

	// the parts of Uncounted and dead that are in the answer to the question under way
	asked     int
	askedDead bool
}

type (
	// shareReported (machine → governor) reports the rest of a machine's share and its number of
	// shards.
	shareReported struct {
		messages.MayBeLost
		source  string
		machine *actor.PID
		share   messages.BudgetShare
		shards  int
	}
	// noShare (machine → governor) reports that a machine takes no share.
	noShare struct {
		messages.MayBeLost
		source string
	}
	// shareLent (governor → machine) holds its new share.
	shareLent struct {
		messages.MayBeLost
		share messages.BudgetShare
	}
)

const (
	// lentFor is the time for which a machine that is away counts as having its share: Discord's day.
	lentFor = 24 * time.Hour
	// lentWait is the delay after which a request that waits for smaller shares comes again: two
	// heartbeats.
	lentWait = 10 * time.Second
)

// lend takes what a machine has left, and sends its next share once it has received the last.
func (g *Governor) lend(ctx actor.Context, m shareReported, now time.Time) {
	l := g.of[m.source]
	if l == nil {
		l = &loan{}
		g.of[m.source] = l
	}
	if l.Latest.ID == 0 && m.share.ID > 0 {
		l.inherited, l.earlierOwn, l.earlierOthers = true, m.share.Total, m.share.Others
	}
	after, spent, known := l.Heard(m.share, !l.left.IsZero())
	l.left, l.unheard, l.dead, l.askedDead = time.Time{}, false, false, false
	l.Loan = after
	if spent > 0 { // or more, or it is in Discord's last answer: that is asked for
		g.budget = g.budget.Spend(spent)
		g.unseen += spent
	}
	if spent+l.Uncounted > 0 {
		g.recount(ctx, now)
	}
	if !known || g.budget.Total == 0 {
		return
	}
	most, _ := g.lent(now)
	s := g.budget.Share(m.shards, g.shards, most-l.Most)
	if l.Latest.ID > 0 && s.Remaining == l.Latest.Remaining && s.Reserve == l.Latest.Reserve && s.Others == l.Latest.Others {
		return
	}
	g.last++
	s.ID = g.last
	l.Loan = l.Lend(s)
	ctx.Send(m.machine, shareLent{share: s})
}

// meet records that a machine has something of an earlier run, which may have lent it a share.
func (g *Governor) meet(source string) {
	if g.of[source] == nil {
		g.of[source] = &loan{unheard: true}
	}
}

// takesNone records that a machine takes no share.
func (g *Governor) takesNone(source string) {
	if l := g.of[source]; l != nil && l.unheard {
		delete(g.of, source)
	}
}

// lent returns what all machines together may spend without MASTER, and the part of it for crashes.
func (g *Governor) lent(now time.Time) (most, dead int) {
	unmet := g.unmet
	for source, l := range g.of {
		if !l.left.IsZero() && now.Sub(l.left) > lentFor {
			delete(g.of, source)
			continue
		}
		most, dead = most+l.Most+l.Uncounted, dead+l.MostDead+l.Uncounted
		unmet = unmet || l.unheard
	}
	if unmet {
		m, d := g.budget.Unmet(g.others(), most, dead)
		most, dead = most+m, dead+d
	}
	return most, dead
}

// others returns what an earlier run lent beside the machines known here, as each of them reports;
// below 0: it lent nothing, or it is unknown.
func (g *Governor) others() int {
	least, met := -1, 0
	for _, l := range g.of {
		met += l.earlierOwn
	}
	for _, l := range g.of {
		if l.inherited {
			if n := max(l.earlierOthers-(met-l.earlierOwn), 0); least < 0 || n < least {
				least = n
			}
		}
	}
	return least
}

// uncounted reports whether machines may have spent identifies that no answer of Discord's covers.
func (g *Governor) uncounted() bool {
	for _, l := range g.of {
		if l.Uncounted > 0 || l.dead {
			return true
		}
	}
	return false
}

// declareDead records that a machine is dead and has Discord asked what it spent before.
func (g *Governor) declareDead(ctx actor.Context, source string, now time.Time) {
	if l := g.of[source]; l != nil {
		l.dead = true
		g.recount(ctx, now)
	}
}

// beginCount records that Discord is asked: its answer includes what was spent before.
func (l *loans) beginCount() {
	for _, one := range l.of {
		one.asked, one.askedDead = one.Uncounted, one.dead
	}
}

// endCount records that Discord answered, and ends the loans of dead machines.
func (l *loans) endCount() {
	for _, one := range l.of {
		one.Uncounted, one.asked = one.Uncounted-one.asked, 0
		if one.askedDead {
			one.Most, one.MostDead, one.unheard, one.dead, one.askedDead = 0, 0, false, false, false
		}
	}
}

// away returns the part of what is lent that machines without a link may spend.
func (g *Governor) away() (most int) {
	for _, l := range g.of {
		if !l.left.IsZero() {
			most += l.Most
		}
	}
	return most
}

// withheld returns the part of it that only machines may spend that are away, or not met by this
// run.
func (g *Governor) withheld(now time.Time) int {
	most, _ := g.lent(now)
	for _, l := range g.of {
		if l.left.IsZero() {
			most -= l.Most + l.Uncounted
		}
	}
	return most
}

// lost records that a machine is away: from now on it may spend its share.
func (g *Governor) lost(source string, now time.Time) {
	if l := g.of[source]; l != nil {
		l.left = now
	}
}

// present reports whether some of what is lent is lent to machines that are linked, or will be
// counted soon.
func (g *Governor) present() bool {
	for _, l := range g.of {
		if l.left.IsZero() && (l.unheard || l.Most > 0) || l.Uncounted > 0 {
			return true
		}
	}
	return false
}

// allows reports whether a request may be granted beside what is lent.
func (g *Governor) allows(w plan.Want, out int) bool {
	most, dead := g.lent(time.Now())
	return g.budget.AllowsBeside(w.Cause, w.Cost(), out, most, dead)
}

// budgetUnknown reports whether the day's budget is unknown until Discord answers. Machines pay for
// such grants from their shares.
func (g *Governor) budgetUnknown() bool { return g.asks && g.budget.Total == 0 }

// recount has Discord asked, no more often than every minute.
func (g *Governor) recount(ctx actor.Context, now time.Time) {
	if now.Sub(g.asked) >= recountEvery {
		g.asked = now
		ctx.Send(g.fleet, fleet.Recount{})
	}
}
