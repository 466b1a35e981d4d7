package master

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Governor orders the identifies of the whole fleet: one permit a bucket per 5 s.
type Governor struct {
	world.States
	pacer  *plan.Pacer
	fleet  *actor.PID
	budget plan.Budget
	low    bool             // said that it is
	asked  time.Time        // Discord, how much there is
	quiet  time.Time        // until then what an earlier life of ours granted may yet be used
	lacks  int              // the most that somebody wants at once and was not allowed, while it is low
	vain   bool             // said that somebody wants more than there ever is
	recent []arriving       // were reported of late
	unseen int              // identifies that Discord's answer to the present question may leave out
	askers map[string]asker // by the id the pacer knows
	pulse  pulse            // the last one
	beat   time.Time        // when it was; zero: there was none yet
	rests  time.Time        // until then nothing is granted: we slept
	alone  bool             // there is one machine, which knows what it was granted

	questions
	loans
	watch
}

// asker is who waits, and by what id it knows its wish.
type asker struct {
	source  string
	machine *actor.PID
	id      string
}

// arriving is identifies that may not have reached Discord yet.
type arriving struct {
	at         time.Time // reported
	identifies int
}

// What the fleet's actors ask of the governor. source names the machine.
type (
	wish struct {
		source  string
		request messages.PermitRequest
	}
	// report: at is the latest that the permit can have been used.
	report struct {
		source string
		report messages.PermitReport
		at     time.Time
	}
	// used tells when a machine's buckets were used last, as far as it knows. Inherited: it has what an earlier life of ours gave it.
	used struct {
		source    string
		last      map[int]time.Time
		most      time.Duration // that a bucket can be kept, where the machine's clock may be wrong
		inherited bool
		informs   bool // the fleet hears it, too, and says which slots are kept
		beats     bool // it says by its heartbeats what share it has
	}
	// left: a machine's link is gone; what it waits for is forgotten, what it was granted is not.
	left struct{ source string }
	// pulse comes every pulseEvery, numbered by its chain: one that is late proves that we slept.
	pulse struct{ chain int }
)

// Who sleeps does not hear that links end. A machine paces itself no sooner than 17 s after it
// heard of us last (10 s of silence, and 7 s: PROTOCOL B3). What ended is known, or silent for 10
// s, within restFor.
const (
	pulseEvery = 5 * time.Second
	restFor    = 11 * time.Second
)

// IgnoreDeadLetterLogging: it may come after MASTER has stopped.
func (pulse) IgnoreDeadLetterLogging() {}

// A machine may speak and part before the fleet is known and this actor there. It says again when its buckets were used.
func (used) IgnoreDeadLetterLogging() {}
func (left) IgnoreDeadLetterLogging() {}

// newGovernor orders the identifies of a MASTER that began at began.
func newGovernor(w *world.World, shards, maxConcurrency int, began time.Time, fleet *actor.PID, o Options) *actor.Props {
	return w.Spawn("governor", func() actor.Actor {
		g := &Governor{questions: questions{asks: o.asksDiscord(), follows: o.MaxConcurrency == 0, heard: time.Now()}, fleet: fleet, pacer: plan.NewPacer(maxConcurrency, o.TTL, o.Margin), askers: map[string]asker{}, alone: o.Alone, quiet: began.Add(plan.Quiet(o.TTL, o.Margin)),
			loans: loans{shards: shards, of: map[string]*loan{}, last: began.UnixMilli()}}
		g.Begin(w, w.Log.With().Str("actor", "governor").Logger(), "governing", g.governing)
		return g
	})
}

func (g *Governor) governing(ctx actor.Context) {
	now := time.Now()
	g.wake(now)
	switch m := ctx.Message().(type) {
	case *actor.Started:
		g.asked = now // by who spawns us
		g.again(ctx, now)
	case wish:
		g.wished(ctx, m, now)
	case report:
		g.reported(m, now)
		g.next(ctx, now)
	case used:
		g.used(m, now)
		g.next(ctx, now)
	case fleet.UsedAll:
		g.used(usedAll(m, now), now)
		g.next(ctx, now)
	case fleet.Keep:
		g.keep(m)
		g.next(ctx, now)
	case left:
		g.left(m)
	case world.Recovered:
		g.pacer.Hold(g.quiet) // that somebody inherited may be what was lost
		g.again(ctx, now)
		g.next(ctx, now)
	case pulse:
		if m == g.pulse {
			g.again(ctx, now)
			g.lookAfter(ctx, now)
		}
	case hasNone:
		g.takesNone(m.source)
	case hasLeft:
		g.lend(ctx, m, now)
		g.next(ctx, now)
	case fleet.Counting:
		g.count(now)
	case fleet.Budget:
		g.account(ctx, m, now)
		g.answered(now)
		g.next(ctx, now)
	case fleet.Unanswered:
		g.failed(now)
		g.next(ctx, now)
	case fleet.Repace:
		g.repace(m, now)
	case fleet.Halt:
		g.Enter("halted", g.halted)
	case shown:
		g.show(m)
	case fleet.Resume:
	case world.Timeout:
		g.next(ctx, now)
	default:
		g.Unexpected(ctx)
	}
}

// again asks for the next pulse, in place of any before.
func (g *Governor) again(ctx actor.Context, now time.Time) {
	g.pulse.chain++
	g.beat = now
	g.After(ctx, pulseEvery, g.pulse)
}

// wake looks whether we slept.
func (g *Governor) wake(now time.Time) {
	if now.Sub(g.beat) > 2*pulseEvery && !g.beat.IsZero() {
		g.beat, g.rests = now, now.Add(restFor)
	}
}

// halted grants nothing, until an operator resumes the fleet. Another token is another MASTER.
func (g *Governor) halted(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case wish:
		ctx.Respond(deliver{messages.PermitAnswer{ID: m.request.ID, RetryAfterMS: messages.Millis(time.Minute), Reason: "halted"}})
	case report:
		g.reported(m, time.Now())
	case used:
		g.used(m, time.Now())
	case fleet.UsedAll:
		g.used(usedAll(m, time.Now()), time.Now())
	case fleet.Keep:
		g.keep(m)
	case left:
		g.left(m)
	case hasNone:
		g.takesNone(m.source)
	case hasLeft:
		g.lend(ctx, m, time.Now())
	case fleet.Resume:
		g.Enter("governing", g.governing)
		g.next(ctx, time.Now())
	case fleet.Counting:
		g.count(time.Now())
	case fleet.Budget:
		g.account(ctx, m, time.Now())
		g.answered(time.Now())
	case fleet.Unanswered:
		g.failed(time.Now())
	case fleet.Repace:
		g.repace(m, time.Now())
	case shown:
		g.show(m)
	case pulse:
		if m == g.pulse {
			g.again(ctx, time.Now())
		}
	case world.Recovered:
		g.pacer.Hold(g.quiet)
		g.again(ctx, time.Now())
	case fleet.Halt, world.Timeout:
	default:
		g.Unexpected(ctx)
	}
}

// wishesMax bounds what waits: more than the shards of the largest fleet there is.
const wishesMax = 200_000

// wished lets a wish wait for its turn, unless it is to keep a bucket on: by a permit of ours, or by one of an earlier life of ours or of the machine's own.
func (g *Governor) wished(ctx actor.Context, m wish, now time.Time) {
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
		g.heldAt = now
		ctx.Respond(deliver{messages.PermitAnswer{ID: r.ID, Granted: true, UseWithinMS: r.HoldMS, Now: new(g.W.AtSteady(now))}})
		return
	}
	if _, waits := g.askers[w.ID]; !waits && len(g.askers) == wishesMax {
		ctx.Respond(deliver{messages.PermitAnswer{ID: r.ID, RetryAfterMS: messages.Millis(putOffMax), Reason: fmt.Sprintf("%d wishes wait already, which is the limit", wishesMax)}})
		return
	}
	g.doubt(w.Cause, now)
	g.held(ctx, w, now)
	g.askers[w.ID] = asker{m.source, ctx.Sender(), r.ID}
	g.pacer.Ask(w)
	g.next(ctx, now)
}

// spend pays for a permit. Discord may not see it before it answers the present question.
func (g *Governor) spend(w plan.Want) {
	g.budget = g.budget.Spend(w.Cost())
	g.unseen += w.Cost()
}

// used takes note of what a machine knows. Where one has something of an earlier life of ours, others may have permits of it and not be back: nothing is granted beside those.
// A machine says what it has before it wishes for anything, and a fleet in which nobody has anything need not wait.
func (g *Governor) used(m used, now time.Time) {
	if m.inherited && !g.alone {
		g.pacer.Hold(g.quiet)
		if m.beats {
			g.meet(m.source)
		}
	}
	if m.inherited && m.informs { // who is not back paces itself by slots; keepTo follows, and what this machine wishes may be here before that
		g.pacer.Keep([]messages.Place{}, 0)
	}
	for bucket, at := range m.last {
		g.pacer.Reported(m.source, bucket, g.pacer.Believed(at, now, m.most), now)
	}
}

// usedAll is the use of every bucket until now.
func usedAll(m fleet.UsedAll, now time.Time) used {
	u := used{last: map[int]time.Time{}}
	for bucket := range m.Buckets {
		u.last[bucket] = now
	}
	return u
}

// left forgets what a machine waits for.
func (g *Governor) left(m left) {
	g.lost(m.source, time.Now())
	g.pacer.Drop(m.source)
	maps.DeleteFunc(g.askers, func(_ string, a asker) bool { return a.source == m.source })
}

func (g *Governor) keep(m fleet.Keep) {
	g.absent = m.Slots != nil
	g.pacer.Keep(nil, 0)
	if m.Slots != nil {
		g.pacer.Keep(m.Slots, g.W.SteadyAhead())
	}
}

// next grants what may be granted now. Whom the budget does not allow it is put off, and the bucket is the next one's.
func (g *Governor) next(ctx actor.Context, now time.Time) {
	if now.Before(g.rests) {
		g.In(ctx, g.rests.Sub(now))
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
			a := g.askers[grant.ID]
			delete(g.askers, grant.ID)
			if !g.allows(grant.Want, out) {
				g.pacer.Report(grant.ID, false, now, time.Time{})
				g.putOff(ctx, a, grant.Want, now)
				again = true
				continue
			}
			out++
			g.spend(grant.Want)
			ctx.Send(a.machine, deliver{g.answer(a.id, grant, now)})
		}
		g.look(ctx, now)
		if !again {
			if wake = g.wakeToAsk(wake, now); !wake.IsZero() {
				g.In(ctx, wake.Sub(now))
			}
			return
		}
	}
}

// answer is a grant as the wire has it. Rounded, it is not sooner.
func (g *Governor) answer(id string, grant plan.Grant, now time.Time) messages.PermitAnswer {
	in := grant.From.Sub(now)
	a := messages.PermitAnswer{ID: id, Granted: true, UseWithinMS: messages.Millis(in + grant.UseWithin), Now: new(g.W.AtSteady(now)), FromShare: g.ignorant()}
	if in > 0 {
		a.InMS = messages.Millis(in + time.Millisecond - 1)
		if !grant.OwnFrom.IsZero() {
			a.NotBefore = new(g.W.AtSteady(grant.OwnFrom)) // the machine's own clock, as it came
		}
	}
	return a
}

// reported takes note of what became of a permit: it was paid for when it was granted.
func (g *Governor) reported(m report, now time.Time) {
	r, own := m.report, time.Time{}
	if r.Now != nil {
		own = g.W.FromSteady(*r.Now)
	}
	if r.Arrived {
		g.pacer.Arrived(m.source+"/"+r.ID, m.at, own)
		return
	}
	delete(g.askers, m.source+"/"+r.ID)
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

// arrives is how long an identify may take from its report here to Discord, at most.
const arrives = 2 * time.Second

// count begins a question to Discord: what is on its way to it may not be in the answer, and nor may what is granted until then.
func (g *Governor) count(now time.Time) {
	g.arrived(now)
	g.loans.beginCount()
	_, g.unseen = g.pacer.Out(now)
	for _, a := range g.recent {
		g.unseen += a.identifies
	}
}

// arrived forgets what has reached Discord by now.
func (g *Governor) arrived(now time.Time) {
	g.recent = slices.DeleteFunc(g.recent, func(a arriving) bool { return now.Sub(a.at) > arrives })
}
