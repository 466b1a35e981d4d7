package master

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Governor orders the identifies of the whole fleet: one permit a bucket per 5 s.
type Governor struct {
	world.States
	pacer  *plan.Pacer
	askers map[string]asker // by the id the pacer knows
}

// asker is who waits, and by what id it knows its wish.
type asker struct {
	machine *actor.PID
	id      string
}

// What the fleet's actors ask of the governor. source names the machine.
type (
	wish struct {
		source  string
		request messages.PermitRequest
	}
	report struct {
		source string
		report messages.PermitReport
	}
	// used tells when a machine's buckets were used last, as far as it knows.
	used struct{ last map[int]messages.UnixMillis }
	// left: a machine's link is gone; what it waits for is forgotten, what it was granted is not.
	left struct{ source string }
	// halted: nobody identifies any more.
	halted struct{}
)

// A machine may part before the fleet is known and this actor there.
func (left) IgnoreDeadLetterLogging() {}

func newGovernor(w *world.World, maxConcurrency int, o Options) *actor.Props {
	return w.Spawn("governor", func() actor.Actor {
		g := &Governor{pacer: plan.NewPacer(maxConcurrency, o.TTL, o.Margin), askers: map[string]asker{}}
		g.Begin(w, w.Log.With().Str("actor", "governor").Logger(), "governing", g.governing)
		return g
	})
}

func (g *Governor) governing(ctx actor.Context) {
	now := time.Now()
	switch m := ctx.Message().(type) {
	case wish:
		id, hold := m.source+"/"+m.request.ID, m.request.HoldMS.Duration()
		if hold > 0 && g.pacer.Extend(id, hold, now) {
			ctx.Respond(messages.PermitAnswer{ID: m.request.ID, Granted: true, UseWithinMS: m.request.HoldMS, Now: new(messages.At(now))})
			return
		}
		g.askers[id] = asker{ctx.Sender(), m.request.ID}
		g.pacer.Ask(plan.Want{ID: id, Owner: m.source, Shard: m.request.Shard, Cause: m.request.Cause, Since: now.Add(-m.request.WaitedMS.Duration()), Hold: hold})
		g.next(ctx, now)
	case report:
		id := m.source + "/" + m.report.ID
		delete(g.askers, id)
		g.pacer.Report(id, m.report.Sent, now)
		g.next(ctx, now)
	case used:
		for bucket, at := range m.last {
			g.pacer.Used(bucket, at.Time())
		}
		g.next(ctx, now)
	case left:
		g.pacer.Drop(m.source)
	case world.Recovered:
		g.next(ctx, now)
	case halted:
		g.Enter("halted", g.halted)
	case world.Timeout:
		if g.Expired(m) {
			g.next(ctx, now)
		}
	default:
		g.Unexpected(ctx)
	}
}

// halted grants nothing, for ever: another token is another MASTER.
func (g *Governor) halted(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case wish:
		ctx.Respond(messages.PermitAnswer{ID: m.request.ID, RetryAfterMS: messages.Millis(time.Minute), Reason: "halted"})
	case report, used, left, halted, world.Timeout:
	default:
		g.Unexpected(ctx)
	}
}

func (g *Governor) next(ctx actor.Context, now time.Time) {
	grants, wake := g.pacer.Next(now)
	for _, grant := range grants {
		a := g.askers[grant.ID]
		delete(g.askers, grant.ID)
		ctx.Send(a.machine, messages.PermitAnswer{ID: a.id, Granted: true, UseWithinMS: messages.Millis(grant.UseWithin), Now: new(messages.At(now))})
	}
	if !wake.IsZero() {
		g.In(ctx, wake.Sub(now))
	}
}
