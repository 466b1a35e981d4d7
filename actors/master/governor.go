package master

import (
	"fmt"
	"maps"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Governor paces the identifies of the whole fleet: one permit a bucket per 5 s.
type Governor struct {
	world.States
	pacer              *plan.Pacer
	fleet              *actor.PID
	budget             plan.Budget
	lowReported        bool                 // that it is low was reported
	asked              time.Time            // when Discord was asked for the budget
	quietUntil         time.Time            // until then permits of an earlier run may still be used
	largest            int                  // the largest request that was not allowed while it is low
	impossibleReported bool                 // a request that a whole day's budget does not allow was reported
	recent             []arriving           // reported recently
	unseen             int                  // identifies that Discord's answer to the current question may leave out
	requesters         map[string]requester // by the pacer's id of the request
	watchdog           watchdog             // the last one
	lastTick           time.Time            // when it was; zero: there was none
	restUntil          time.Time            // until then nothing is granted: MASTER was suspended
	alone              bool                 // there is one machine, which knows its own grants

	questions
	loans
	watch
}

// requester is the machine of a request, and its id of the request.
type requester struct {
	source  string
	machine *actor.PID
	id      string
}

// arriving is identifies that may be on their way to Discord.
type arriving struct {
	at         time.Time // reported
	identifies int
}

// Messages to the governor from the fleet's actors. source names the machine.
type (
	permitRequest struct {
		source  string
		request messages.PermitRequest
	}
	// report holds a machine's report; at is the latest moment at which the permit can have been used.
	report struct {
		source string
		report messages.PermitReport
		at     time.Time
	}
	// bucketsUsed holds the last uses of a machine's buckets. inherited: it has ranges, slots or
	// permits of an earlier MASTER.
	bucketsUsed struct {
		messages.MayBeLost
		source    string
		last      map[int]time.Time
		most      time.Duration // that a bucket can be kept, where the machine's clock may be wrong
		inherited bool
		informs   bool // the fleet receives it too, and decides which slots are kept
		beats     bool // it reports its share by its heartbeats
	}
	// machineGone reports the end of a machine's link: its requests are dropped, its permits are not.
	machineGone struct {
		messages.MayBeLost
		source string
	}
	// watchdog comes every watchdogEvery. A late one proves a suspension; one of another chain is
	// stale.
	watchdog struct {
		messages.MayBeLost
		chain int
	}
)

// A suspended MASTER does not notice closed links. A machine paces itself no sooner than 17 s
// after it last heard MASTER (10 s of silence, and 7 s: PROTOCOL B3). A link that ended is known,
// or silent for 10 s, within restFor.
const (
	watchdogEvery = 5 * time.Second
	restFor       = 11 * time.Second
)

// newGovernor returns the governor of a MASTER that began at began.
func newGovernor(w *world.World, shards, maxConcurrency int, began time.Time, fleet *actor.PID, o Options) *actor.Props {
	return w.Spawn("governor", func() actor.Actor {
		g := &Governor{questions: questions{asks: o.asksDiscord(), follows: o.MaxConcurrency == 0, heard: time.Now()}, fleet: fleet, pacer: plan.NewPacer(maxConcurrency, o.TTL, o.Margin), requesters: map[string]requester{}, alone: o.Alone, quietUntil: began.Add(plan.Quiet(o.TTL, o.Margin)),
			loans: loans{shards: shards, of: map[string]*loan{}, last: began.UnixMilli()}}
		g.Begin(w, w.Log.With().Str("actor", "governor").Logger(), "governing", g.governing)
		return g
	})
}

func (g *Governor) governing(ctx actor.Context) {
	now := time.Now()
	g.checkSuspension(now)
	switch m := ctx.Message().(type) {
	case *actor.Started:
		g.asked = now // by the parent
		g.nextWatchdog(ctx, now)
	case permitRequest:
		g.request(ctx, m, now)
	case watchdog:
		if m == g.watchdog {
			g.nextWatchdog(ctx, now)
			g.recountDue(ctx, now)
		}
	case fleet.Halt:
		g.Enter("halted", g.halted)
	case fleet.Resume:
	case world.Timeout:
		g.next(ctx, now)
	default:
		if g.always(ctx, now) {
			g.next(ctx, now)
		}
	}
}

// halted grants nothing, until an operator resumes the fleet. Another token is another MASTER.
func (g *Governor) halted(ctx actor.Context) {
	now := time.Now()
	switch m := ctx.Message().(type) {
	case permitRequest:
		ctx.Respond(deliver{packet: messages.PermitAnswer{ID: m.request.ID, RetryAfterMS: messages.Millis(time.Minute), Reason: "halted"}})
	case watchdog:
		if m == g.watchdog {
			g.nextWatchdog(ctx, now)
		}
	case fleet.Resume:
		g.Enter("governing", g.governing)
		g.next(ctx, now)
	case fleet.Halt, world.Timeout:
	default:
		g.always(ctx, now)
	}
}

// always handles the messages that both states account for alike, and reports whether one may have
// made a grant possible.
func (g *Governor) always(ctx actor.Context, now time.Time) (grants bool) {
	switch m := ctx.Message().(type) {
	case report:
		g.reported(m, now)
	case bucketsUsed:
		g.used(m, now)
	case fleet.UsedAll:
		g.used(usedAll(m, now), now)
	case fleet.Keep:
		g.keep(m)
	case shareReported:
		g.lend(ctx, m, now)
	case fleet.Budget:
		g.account(ctx, m, now)
		g.answered(now)
	case fleet.Unanswered:
		g.failed(now)
	case world.Recovered:
		g.pacer.Hold(g.quietUntil) // an inherited report may be what was lost
		g.nextWatchdog(ctx, now)
	case fleet.Dead:
		g.declareDead(ctx, m.Source, now)
		return false
	case machineGone:
		g.gone(m)
		return false
	case noShare:
		g.takesNone(m.source)
		return false
	case fleet.Counting:
		g.count(now)
		return false
	case fleet.Repace:
		g.repace(m, now)
		return false
	case shown:
		g.show(m)
		return false
	default:
		g.Unexpected(ctx)
		return false
	}
	return true
}

// nextWatchdog sets the timer of the next watchdog, in place of the current one.
func (g *Governor) nextWatchdog(ctx actor.Context, now time.Time) {
	g.watchdog.chain++
	g.lastTick = now
	g.After(ctx, watchdogEvery, g.watchdog)
}

// checkSuspension checks whether MASTER was suspended.
func (g *Governor) checkSuspension(now time.Time) {
	if now.Sub(g.lastTick) > 2*watchdogEvery && !g.lastTick.IsZero() {
		g.lastTick, g.restUntil = now, now.Add(restFor)
	}
}

// requestsMax bounds the waiting requests: more than the shards of the largest fleet there is.
const requestsMax = 200_000

// request queues a request, unless it renews a kept bucket: kept by a permit of this run, of an
// earlier one, or of the machine's own.
func (g *Governor) request(ctx actor.Context, m permitRequest, now time.Time) {
	r := m.request
	w := plan.Want{ID: m.source + "/" + r.ID, Owner: m.source, Shard: r.Shard, Cause: r.Cause, Since: now.Add(-r.WaitedMS.Duration()), Hold: r.HoldMS.Duration(),
		Identifies: r.Identifies, Kept: r.Kept}
	if r.Now != nil {
		w.Lead = plan.Lead
	}
	kept := w.Hold > 0 && g.pacer.Extend(w.ID, w.Hold, now)
	if !kept && g.pacer.Adopt(w, now) {
		kept = true
		g.spend(w)
	}
	if kept {
		g.unpacedAt = now
		ctx.Respond(deliver{packet: messages.PermitAnswer{ID: r.ID, Granted: true, UseWithinMS: r.HoldMS, Now: new(g.W.AtSteady(now))}})
		return
	}
	if _, waits := g.requesters[w.ID]; !waits && len(g.requesters) == requestsMax {
		ctx.Respond(deliver{packet: messages.PermitAnswer{ID: r.ID, RetryAfterMS: messages.Millis(putOffMax), Reason: fmt.Sprintf("%d requests wait already, which is the limit", requestsMax)}})
		return
	}
	g.doubt(w.Cause, now)
	g.startsUnpaced(ctx, w, now)
	g.requesters[w.ID] = requester{m.source, ctx.Sender(), r.ID}
	g.pacer.Ask(w)
	g.next(ctx, now)
}

// spend pays for a permit. Discord may not see it before it answers the current question.
func (g *Governor) spend(w plan.Want) {
	g.budget = g.budget.Spend(w.Cost())
	g.unseen += w.Cost()
}

// used records the last uses of a machine's buckets. If the machine has something of an earlier run
// of MASTER, others may have permits of that run and be away: nothing is granted beside those. A
// machine reports what it has before its first request, so a fleet without an earlier run does not
// wait.
func (g *Governor) used(m bucketsUsed, now time.Time) {
	if m.inherited && !g.alone {
		g.pacer.Hold(g.quietUntil)
		if m.beats {
			g.meet(m.source)
		}
	}
	// others may pace themselves; fleet.Keep follows, perhaps after requests
	if m.inherited && m.informs {
		g.pacer.Keep([]messages.Place{}, 0)
	}
	for bucket, at := range m.last {
		g.pacer.Reported(m.source, bucket, g.pacer.Believed(at, now, m.most), now)
	}
}

// usedAll returns the use of every bucket until now.
func usedAll(m fleet.UsedAll, now time.Time) bucketsUsed {
	u := bucketsUsed{last: map[int]time.Time{}}
	for bucket := range m.Buckets {
		u.last[bucket] = now
	}
	return u
}

// gone drops the requests of a machine.
func (g *Governor) gone(m machineGone) {
	g.lost(m.source, time.Now())
	g.pacer.Drop(m.source)
	maps.DeleteFunc(g.requesters, func(_ string, a requester) bool { return a.source == m.source })
}

func (g *Governor) keep(m fleet.Keep) {
	g.unmet = m.Unmet
	g.pacer.Keep(nil, 0)
	if m.Slots != nil {
		g.pacer.Keep(m.Slots, g.W.SteadyAhead())
	}
}

// next grants what may be granted now. It puts off a request that the budget does not allow, and
// the next one gets the bucket.
func (g *Governor) next(ctx actor.Context, now time.Time) {
	if now.Before(g.restUntil) {
		g.In(ctx, g.restUntil.Sub(now))
		return
	}
	if wait := g.consult(ctx, now); wait > 0 {
		g.In(ctx, wait)
		return
	}
	g.budget = g.budget.At(now)
	for {
		out, _ := g.pacer.Out(now)
		grants, wake := g.pacer.Next(g.W.Now())
		again := false
		for _, grant := range grants {
			a := g.requesters[grant.ID]
			delete(g.requesters, grant.ID)
			if !g.allows(grant.Want, out) {
				g.pacer.Report(grant.ID, false, now, time.Time{})
				g.putOff(ctx, a, grant.Want, now)
				again = true
				continue
			}
			out++
			g.spend(grant.Want)
			ctx.Send(a.machine, deliver{packet: g.answer(a.id, grant, now)})
		}
		g.reportLow(ctx, now)
		if !again {
			if wake = g.wakeToAsk(wake, now); !wake.IsZero() {
				g.In(ctx, wake.Sub(now))
			}
			return
		}
	}
}

// answer returns the packet of a grant. Rounding never makes it earlier.
func (g *Governor) answer(id string, grant plan.Grant, now time.Time) messages.PermitAnswer {
	in := grant.From.Sub(now)
	a := messages.PermitAnswer{ID: id, Granted: true, UseWithinMS: messages.Millis(in + grant.UseWithin), Now: new(g.W.AtSteady(now)), FromShare: g.budgetUnknown()}
	if in > 0 {
		a.InMS = messages.Millis(in + time.Millisecond - 1)
		if !grant.OwnFrom.IsZero() {
			a.NotBefore = new(g.W.AtSteady(grant.OwnFrom)) // by the machine's own clock, as it came
		}
	}
	return a
}

// reported records the outcome of a permit, which was paid for when it was granted.
func (g *Governor) reported(m report, now time.Time) {
	r, own := m.report, time.Time{}
	if r.Now != nil {
		own = g.W.FromSteady(*r.Now)
	}
	if r.Arrived {
		g.pacer.Arrived(m.source+"/"+r.ID, m.at, own)
		return
	}
	delete(g.requesters, m.source+"/"+r.ID)
	if w, known := g.pacer.Report(m.source+"/"+r.ID, r.Sent, m.at, own); known {
		used := 0
		if r.Sent {
			used = max(r.Identifies, 1)
		}
		g.budget = g.budget.Spend(used - w.Cost())
		g.unseen += used - w.Cost()
		g.arrived(now)
		g.recent = append(g.recent, arriving{m.at, used})
	}
}
