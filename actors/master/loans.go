package master

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is what of the day's budget the machines may spend while MASTER is away. Each hears of
// its share by the ack of a heartbeat, and says in the next what it has.

// loans is what the governor has lent.
type loans struct {
	shards int // of the whole bot
	of     map[string]*loan
	last   int64 // id of a share
}

// loan is one machine's.
type loan struct {
	plan.Loan
	left time.Time // since when it is away; zero: it is here
}

type (
	// hasLeft (machine → governor): what is left of a machine's share, and how many shards it has.
	hasLeft struct {
		source  string
		machine *actor.PID
		share   messages.Share
		shards  int
	}
	// lent (governor → machine) is its share from now on.
	lent struct{ share messages.Share }
)

// The governor may not be there yet, and the machine may have parted.
func (hasLeft) IgnoreDeadLetterLogging() {}
func (lent) IgnoreDeadLetterLogging()    {}

const (
	// lentFor is how long a machine that is away is taken to have its share: Discord's day.
	lentFor = 24 * time.Hour
	// lentWait is how soon a wish comes again that waits for shares to become smaller: two heartbeats.
	lentWait = 10 * time.Second
)

// lend takes what a machine has left, and gives it its next share once it has heard of the last.
func (g *Governor) lend(ctx actor.Context, m hasLeft, now time.Time) {
	l := g.of[m.source]
	if l == nil {
		l = &loan{}
		g.of[m.source] = l
	}
	after, spent, known := l.Heard(m.share, !l.left.IsZero())
	l.left = time.Time{}
	l.Loan = after
	if spent > 0 { // or more, or it is in Discord's last answer: that is asked for
		g.budget = g.budget.Spend(spent)
		g.recount(ctx, now)
	}
	if !known || g.budget.Total == 0 {
		return
	}
	most, _ := g.lent(now)
	s := g.budget.Share(m.shards, g.shards, most-l.Most)
	if l.Latest.ID > 0 && s.Remaining == l.Latest.Remaining && s.Reserve == l.Latest.Reserve {
		return
	}
	g.last++
	s.ID = g.last
	l.Loan = l.Lend(s)
	ctx.Send(m.machine, lent{s})
}

// lent is what all machines together may spend without us, and what of it for those that crashed.
func (g *Governor) lent(now time.Time) (most, dead int) {
	for source, l := range g.of {
		if !l.left.IsZero() && now.Sub(l.left) > lentFor {
			delete(g.of, source)
			continue
		}
		most, dead = most+l.Most, dead+l.MostDead
	}
	return most, dead
}

// away is what of it machines may spend that are not here.
func (g *Governor) away() (most int) {
	for _, l := range g.of {
		if !l.left.IsZero() {
			most += l.Most
		}
	}
	return most
}

// lost notes that a machine is away: from now on it may spend its share.
func (g *Governor) lost(source string, now time.Time) {
	if l := g.of[source]; l != nil {
		l.left = now
	}
}

// present reports whether some of what is lent is lent to machines that are there.
func (g *Governor) present(now time.Time) bool {
	most, _ := g.lent(now)
	return most > g.away()
}

// allows reports whether a wish may be granted beside what is lent.
func (g *Governor) allows(w plan.Want, out int) bool {
	most, dead := g.lent(time.Now())
	return g.budget.AllowsBeside(w.Cause, w.Cost(), out, most, dead)
}

// ignorant reports whether the day's budget is unknown although Discord knows it. What a machine is
// granted then it pays from its share.
func (g *Governor) ignorant() bool { return g.asks && g.budget.Total == 0 }

// recount has Discord asked, no more often than every minute.
func (g *Governor) recount(ctx actor.Context, now time.Time) {
	if now.Sub(g.asked) >= recountEvery {
		g.asked = now
		ctx.Send(g.fleet, fleet.Recount{})
	}
}
