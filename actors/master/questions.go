package master

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file decides when the governor has Discord asked before it grants: max_concurrency may have
// changed, above all after Discord ended sessions, and a grant by the old one breaks the limit.

// questions holds the governor's state of asking Discord.
type questions struct {
	asks    bool      // Discord is asked at all
	follows bool      // max_concurrency is Discord's, not set by hand
	posed   time.Time // when the question under way was sent; zero: none
	heard   time.Time // when the last answered question was sent
	refused time.Time // when a question last failed
	doubted time.Time // when Discord was last found to have ended a session
}

const (
	answerFor    = plan.IdentifyEvery // an answer holds for grants within this time
	trustedFor   = time.Second        // also when sessions end just after it
	askAhead     = time.Second        // before the next grant: the answer is there by then
	answerWithin = time.Second        // a grant is held up for an answer no longer
	refusedFor   = 15 * time.Second   // when there was no answer, the next question follows after this
)

func (q *questions) answered(now time.Time) {
	if q.heard = now; !q.posed.IsZero() {
		q.heard = q.posed
	}
	q.posed = time.Time{}
}

func (q *questions) failed(now time.Time) { q.posed, q.refused = time.Time{}, now }

// doubt records that Discord ended a session, so that its earlier answers may be outdated.
func (q *questions) doubt(cause messages.IdentifyCause, now time.Time) {
	if cause == messages.CauseReidentify && now.Sub(q.heard) > trustedFor {
		q.doubted = now
	}
}

// fresh reports whether Discord's answer is good enough for a grant at a moment.
func (q *questions) fresh(at time.Time) bool {
	return !q.follows || q.heard.After(q.doubted) && at.Sub(q.heard) <= answerFor
}

// consult asks Discord if the next grant needs it, and returns how long that grant waits for the
// answer; 0: not.
func (g *Governor) consult(ctx actor.Context, now time.Time) (wait time.Duration) {
	at := g.pacer.Soonest(now)
	if at.IsZero() || at.Sub(now) > askAhead || g.fresh(at) {
		return 0
	}
	if g.posed.IsZero() {
		if now.Sub(g.refused) < refusedFor {
			return 0
		}
		g.posed = now
		ctx.Send(g.fleet, fleet.Recount{})
	}
	if at.After(now) {
		return 0
	}
	return max(answerWithin-now.Sub(g.posed), 0)
}

// wakeToAsk returns wake, or an earlier time to ask Discord for the next grant.
func (g *Governor) wakeToAsk(wake, now time.Time) time.Time {
	at := g.pacer.Soonest(now)
	if at.IsZero() || g.fresh(at) || !g.posed.IsZero() || now.Sub(g.refused) < refusedFor {
		return wake
	}
	if ask := at.Add(-askAhead); ask.After(now) && (wake.IsZero() || ask.Before(wake)) {
		return ask
	}
	return wake
}

// repace adopts another max_concurrency, which every machine has been sent.
func (g *Governor) repace(m fleet.Repace, now time.Time) {
	g.pacer = g.pacer.Repaced(m.MaxConcurrency, now)
}

// arrives is the longest time an identify may take from its report here to Discord.
const arrives = 2 * time.Second

// count begins a question to Discord. Its answer may leave out identifies on their way to Discord
// and those granted before it comes.
func (g *Governor) count(now time.Time) {
	g.arrived(now)
	g.loans.beginCount()
	_, g.unseen = g.pacer.Out(now)
	for _, a := range g.recent {
		g.unseen += a.identifies
	}
}

// arrived removes what has reached Discord by now.
func (g *Governor) arrived(now time.Time) {
	g.recent = slices.DeleteFunc(g.recent, func(a arriving) bool { return now.Sub(a.at) > arrives })
}
