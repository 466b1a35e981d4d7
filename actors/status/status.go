package status

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// DeskOptions is what the desk says of the machine it is at.
type Options struct {
	Source, Version, Host, MasterURL string
	PID                              int
	Started                          time.Time
	News                             []messages.Event // of the time before there were actors, to be told at the start
}

// Desk is the behaviour that knows how things stand, for those who look from outside: it keeps a messages.View by the events it hears, what happened last, and the
// figures since its start. It answers messages.GetView, Follow and Order, and passes good orders on.
//
// Events tell what changes; how things stand at its start, and figures that change all the time, such as latencies, it asks for (messages.GetSnapshot) when somebody looks.
func New(o Options) world.Behaviour {
	return world.Behaviour{Name: Name, Actor: func(w *world.World, h world.Addresses) actor.Actor {
		return &status{w: w, addresses: h, news: o.News, picture: newSnapshot(o), log: plan.NewEventLog(o.Source, now())}
	}}
}

// DeskName is the name of the desk's actor, below MasterLink's.
const Name = "status"

// A View is never older than surveyEvery; who looks after a time without onlookers waits surveyTakes for the answers.
const (
	surveyEvery = 5 * time.Second
	surveyTakes = 50 * time.Millisecond
)

type status struct {
	w         *world.World
	addresses world.Addresses
	news      []messages.Event
	picture   *snapshot
	log       *plan.EventLog
	surveyed  time.Time // when it was asked for last
	asked     int       // numbers the surveys
	looks     []messages.GetView
}

// surveyDone is the end of the time that the answers have.
type surveyDone struct{ asked int }

// IgnoreDeadLetterLogging marks what outlives its actor as nothing to report.
func (surveyDone) IgnoreDeadLetterLogging() {}

// Receive is its only state.
func (d *status) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(d.addresses.Events, messages.Subscribe{})
		for _, e := range d.news {
			ctx.Send(d.addresses.Events, e)
		}
		d.survey(ctx)
	case world.Recovered:
		d.survey(ctx)
	case messages.Event:
		m = plan.Shorten(m)
		d.picture.heard(m, now())
		d.log.Record(m, now())
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
func (d *status) survey(ctx actor.Context) {
	d.surveyed = time.Now()
	d.asked++
	ctx.Request(d.addresses.Clusters, messages.GetSnapshot{})
	ctx.Request(d.addresses.Sessions, messages.GetSnapshot{})
	send, done := world.Sender(ctx), surveyDone{d.asked}
	d.w.After(surveyTakes, func() { send(done) })
}

func (d *status) look(ctx actor.Context, m messages.GetView) {
	d.looks = append(d.looks, m)
	switch age := time.Since(d.surveyed); {
	case age > surveyEvery:
		d.survey(ctx)
	case age > surveyTakes:
		d.answer()
	}
}

// answer gives everybody who looks the view.
func (d *status) answer() {
	for _, l := range d.looks {
		l.Answer(d.picture.view(d.log.Last, now()))
	}
	d.looks = nil
}

// order passes an order on, if that makes sense.
func (d *status) order(ctx actor.Context, m messages.Order) {
	refusal, reason := plan.Judge(m.Directive, d.picture.judged())
	if refusal == "" {
		given := messages.OrderGiven{By: m.By}
		given.Order, given.Cluster = m.Directive.Order()
		if restart, is := m.Directive.(messages.RestartCluster); is {
			given.Fresh = restart.Fresh
		}
		ctx.Send(d.addresses.Events, given)
		to := d.addresses.Clusters
		if _, is := m.Directive.(messages.AcceptMaster); is {
			to = d.addresses.MasterLink
		}
		ctx.Send(to, m.Directive)
	}
	m.Answer(messages.Verdict{Refusal: refusal, Reason: reason, After: d.log.Last})
}
