package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// DeskOptions is what the desk says of the machine it is at.
type DeskOptions struct {
	Source, Version, Host, MasterURL string
	PID                              int
	Started                          time.Time
	News                             []messages.Event // of the time before there were actors, to be told at the start
}

// Desk is the behaviour that knows how things stand, for those who look from outside: it keeps a messages.View by the events it hears, what happened last, and the
// figures since its start. It answers messages.GetView, Follow and Order, and passes good orders on.
//
// Events tell what changes; how things stand at its start, and figures that change all the time, such as latencies, it asks for (messages.GetSnapshot) when somebody looks.
func Desk(o DeskOptions) Behaviour {
	return Behaviour{Name: DeskName, Actor: func(w *world.World, h House) actor.Actor {
		return &desk{w: w, house: h, news: o.News, picture: newPicture(o), log: plan.NewChronicle(o.Source, now())}
	}}
}

// DeskName is the name of the desk's actor, below MasterLink's.
const DeskName = "desk"

// A View is never older than surveyEvery; who looks after a time without onlookers waits surveyTakes for the answers.
const (
	surveyEvery = 5 * time.Second
	surveyTakes = 50 * time.Millisecond
)

type desk struct {
	w        *world.World
	house    House
	news     []messages.Event
	picture  *picture
	log      *plan.Chronicle
	surveyed time.Time // when it was asked for last
	asked    int       // numbers the surveys
	looks    []messages.GetView
}

// surveyDone is the end of the time that the answers have.
type surveyDone struct{ asked int }

// IgnoreDeadLetterLogging marks what outlives its actor as nothing to report.
func (surveyDone) IgnoreDeadLetterLogging() {}

// Receive is its only state.
func (d *desk) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(d.house.Herald, messages.Subscribe{})
		for _, e := range d.news {
			ctx.Send(d.house.Herald, e)
		}
		d.survey(ctx)
	case world.Recovered:
		d.survey(ctx)
	case messages.Event:
		m = plan.Shorten(m)
		d.picture.heard(m, now())
		d.log.Tell(m, now())
	case messages.ClusterSnapshot:
		d.picture.clusterMoved(m.Moved, now())
	case messages.FleetSnapshot:
		d.picture.fleetStands(m)
	case messages.ShardsSnapshot:
		d.picture.shardsStand(m)
	case messages.SessionsSnapshot:
		d.picture.sessions = m.Sessions
	case messages.GetView:
		d.look(ctx, m)
	case surveyDone:
		if m.asked == d.asked {
			d.answer()
		}
	case messages.Follow:
		d.log.Follow(m)
	case messages.Order:
		d.order(ctx, m)
	}
}

// now is the time as people and programs read it.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// survey asks how everything stands.
func (d *desk) survey(ctx actor.Context) {
	d.surveyed = time.Now()
	d.asked++
	ctx.Request(d.house.Clusters, messages.GetSnapshot{})
	ctx.Request(d.house.Sessions, messages.GetSnapshot{})
	send, done := world.Sender(ctx), surveyDone{d.asked}
	d.w.After(surveyTakes, func() { send(done) })
}

func (d *desk) look(ctx actor.Context, m messages.GetView) {
	d.looks = append(d.looks, m)
	switch age := time.Since(d.surveyed); {
	case age > surveyEvery:
		d.survey(ctx)
	case age > surveyTakes:
		d.answer()
	}
}

// answer gives everybody who looks the view.
func (d *desk) answer() {
	for _, l := range d.looks {
		l.Answer(d.picture.view(d.log.Last, now()))
	}
	d.looks = nil
}

// order passes an order on, if that makes sense.
func (d *desk) order(ctx actor.Context, m messages.Order) {
	refusal, reason := plan.Judge(m.Directive, d.picture.judged())
	if refusal == "" {
		given := messages.OrderGiven{By: m.By}
		given.Order, given.Cluster = m.Directive.Order()
		if restart, is := m.Directive.(messages.RestartCluster); is {
			given.Fresh = restart.Fresh
		}
		ctx.Send(d.house.Herald, given)
		to := d.house.Clusters
		if _, is := m.Directive.(messages.AcceptMaster); is {
			to = d.house.MasterLink
		}
		ctx.Send(to, m.Directive)
	}
	m.Answer(messages.Verdict{Refusal: refusal, Reason: reason, After: d.log.Last})
}
