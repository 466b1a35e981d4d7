package status

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Options describes the machine in every view.
type Options struct {
	Source, Version, Host, MasterURL string
	PID                              int
	Started                          time.Time
	News                             []messages.Event // raised before there were actors; sent at the start
}

// New returns the behaviour that keeps the state of the machine for the API: a messages.View built
// from events, the latest events, and the counters since its start. It answers messages.GetView,
// Follow, Order and Ask, and passes valid orders and requests on.
//
// Events carry changes. The state at its start, and figures that change all the time such as
// latencies, it requests with messages.GetSnapshot when a view is asked for.
func New(o Options) world.Behaviour {
	return world.Behaviour{Name: Name, Actor: func(w *world.World, addresses world.Addresses) actor.Actor {
		return &status{w: w, addresses: addresses, news: o.News, snapshot: newSnapshot(o), log: plan.NewEventLog(o.Source, now())}
	}}
}

// Name is the name of the status actor, a child of MasterLink.
const Name = "status"

// The figures of a View are at most snapshotEvery old. A GetView that finds older ones requests
// them and waits snapshotTakes for the answers.
const (
	snapshotEvery = 5 * time.Second
	snapshotTakes = 50 * time.Millisecond
)

type status struct {
	w         *world.World
	addresses world.Addresses
	news      []messages.Event
	snapshot  *snapshot
	log       *plan.EventLog
	requested time.Time // when snapshots were last requested
	request   int       // number of the last request
	waiting   []messages.GetView
}

// snapshotDue is the end of the time for the answers.
type snapshotDue struct {
	messages.MayBeLost
	request int
}

// Receive handles every message; there is one state.
func (s *status) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(s.addresses.Events, messages.Subscribe{})
		for _, e := range s.news {
			ctx.Send(s.addresses.Events, e)
		}
		s.requestSnapshots(ctx)
	case world.Recovered:
		s.requestSnapshots(ctx)
	case messages.Event:
		m = plan.Shorten(m)
		s.snapshot.heard(m, now())
		s.log.Record(m, now())
	case messages.ClusterSnapshot:
		s.snapshot.clusterMoved(m.Moved, now())
	case messages.FleetSnapshot:
		s.snapshot.fleetMoved(m)
	case messages.ShardsSnapshot:
		s.snapshot.shardsMoved(m)
	case messages.SessionsSnapshot:
		s.snapshot.sessions = m.Sessions
	case messages.GetView:
		s.view(ctx, m)
	case snapshotDue:
		if m.request == s.request {
			s.answer()
		}
	case messages.Follow:
		s.log.Follow(m)
	case messages.Order:
		s.order(ctx, m)
	case messages.Ask:
		s.ask(ctx, m)
	}
}

// now returns the time in UTC, to the millisecond.
func now() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// requestSnapshots asks the other actors for their state.
func (s *status) requestSnapshots(ctx actor.Context) {
	s.requested = time.Now()
	s.request++
	ctx.Request(s.addresses.Clusters, messages.GetSnapshot{})
	ctx.Request(s.addresses.Sessions, messages.GetSnapshot{})
	send, done := world.Sender(ctx), snapshotDue{request: s.request}
	s.w.After(snapshotTakes, func() { send(done) })
}

// view answers a GetView, at once or when the requested snapshots are in.
func (s *status) view(ctx actor.Context, m messages.GetView) {
	s.waiting = append(s.waiting, m)
	switch age := time.Since(s.requested); {
	case age > snapshotEvery:
		s.requestSnapshots(ctx)
	case age > snapshotTakes:
		s.answer()
	}
}

// answer sends the view to every waiting GetView.
func (s *status) answer() {
	for _, l := range s.waiting {
		l.Answer(s.snapshot.view(s.log.Last, now()))
	}
	s.waiting = nil
}

// order passes an order on if plan.Judge accepts it, and answers with the verdict.
func (s *status) order(ctx actor.Context, m messages.Order) {
	refusal, reason := plan.Judge(m.Directive, s.snapshot.judged())
	if refusal == "" {
		given := messages.OrderGiven{By: m.By}
		given.Order, given.Cluster = m.Directive.Order()
		if restart, is := m.Directive.(messages.RestartCluster); is {
			given.Fresh = restart.Fresh
		}
		ctx.Send(s.addresses.Events, given)
		to := s.addresses.Clusters
		if _, is := m.Directive.(messages.AcceptMaster); is {
			to = s.addresses.MasterLink
		}
		ctx.Send(to, m.Directive)
	}
	m.Answer(messages.Verdict{Refusal: refusal, Reason: reason, After: s.log.Last})
}

// ask passes a request on for the clusters that its target names.
func (s *status) ask(ctx actor.Context, m messages.Ask) {
	clusters, refusal, reason := s.snapshot.named(m.To)
	if refusal != "" {
		m.Answer(messages.AskAnswer{Refusal: refusal, Reason: reason})
		return
	}
	m.Clusters = clusters
	ctx.Send(s.addresses.Router, m)
}
