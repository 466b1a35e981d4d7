package master

import (
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// Fleet is MASTER's root actor. It carries out what fleet.Fleet decides, and holds the links and
// actors that fleet.Fleet only names by number.
type Fleet struct {
	world.States
	options  Options
	began    time.Time
	fleet    *fleet.Fleet
	governor *actor.PID
	sessions *actor.PID
	stop     func() // of the listener
	cancel   func() // of the question to Discord
	arrived  int    // links so far
	links    map[int]transport.Link
	machines map[int]*actor.PID // of the links that were admitted
}

// Messages of the World, and of the owner of MASTER.
type (
	linkCame struct {
		link     transport.Link
		greeting transport.Greeting
	}
	discordAnswered struct {
		messages.MayBeLost
		response world.Response
		err      error
	}
	// Stop closes the links and ends MASTER's actors.
	Stop struct{}
)

// raised (actors of MASTER → fleet) holds an event to raise.
type raised struct{ event messages.Event }

// later is a timer that fleet.Fleet set.
type later struct {
	messages.MayBeLost
	event fleet.Event
}

// New returns the props of MASTER's root actor. Stop it with Stop.
func New(w *world.World, o Options) *actor.Props {
	goOn := &world.Resume{Log: w.Log, Report: func(root *actor.RootContext, child *actor.PID, broken messages.ControlBroken) {
		fleet, _, _ := strings.Cut(child.Id, "/")
		root.Send(actor.NewPID(child.Address, fleet), raised{broken})
	}}
	return w.Spawn("fleet", func() actor.Actor {
		f := &Fleet{options: o, links: map[int]transport.Link{}, machines: map[int]*actor.PID{}}
		f.Begin(w, w.Log.With().Str("actor", "fleet").Logger(), "running", f.running)
		return f
	}, actor.WithGuardian(goOn), actor.WithSupervisor(goOn))
}

func (f *Fleet) running(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		f.start(ctx)
	case linkCame:
		f.arrived++
		f.links[f.arrived] = m.link
		f.step(ctx, fleet.Arrived{Link: f.arrived, Authorized: f.authorized(m.greeting), Source: m.greeting.Source, Instance: m.greeting.Instance, Remote: m.greeting.Remote})
	case fleet.Event:
		f.step(ctx, m)
	case later:
		f.step(ctx, m.event)
	case discordAnswered:
		f.cancel = nil
		f.step(ctx, f.read(m))
	case messages.FleetOrder:
		f.step(ctx, fleet.Ordered{FleetOrder: m})
	case messages.GetFleetView:
		f.show(ctx, m)
	case raised:
		f.raise(m.event)
	case world.Recovered:
		f.cancel = nil
		f.step(ctx, fleet.Recovered{})
	case Stop:
		ctx.Stop(ctx.Self())
	case *actor.Stopping, *actor.Restarting:
		f.end()
	case *actor.Terminated:
	default:
		f.Unexpected(ctx)
	}
}

func (f *Fleet) start(ctx actor.Context) {
	f.W.Secrets.Learn(f.options.Token, f.options.Authorization)
	f.began = time.Now()
	f.fleet = fleet.New(f.options.Options, f.options.Token.Fingerprint(), f.W.Rand, int64(f.W.AtSteady(f.began)), f.began)
	f.sessions = f.spawn(ctx, newSessions(f.W), "sessions")
	send := world.Sender(ctx)
	at, stop, err := f.W.Listen(f.options.Listen, func(l transport.Link, g transport.Greeting) { send(linkCame{l, g}) })
	if err != nil {
		f.options.Failed(fmt.Errorf("fleet.listen %s: %w", f.options.Listen, err))
		return
	}
	f.stop = stop
	if f.options.Listening != nil {
		f.options.Listening(at)
	}
	f.step(ctx, fleet.Started{Refusal: f.recallRefusal()})
}

func (f *Fleet) end() {
	if f.stop != nil {
		f.stop()
	}
	if f.cancel != nil {
		f.cancel()
	}
}

// authorized reports whether a CONTROL brought the right secret.
func (f *Fleet) authorized(g transport.Greeting) bool {
	return subtle.ConstantTimeCompare([]byte(g.Authorization), []byte(f.options.Authorization.Reveal())) == 1
}

// step passes an event to fleet.Fleet and carries out the effects.
func (f *Fleet) step(ctx actor.Context, e fleet.Event) {
	before := f.fleet.State()
	for _, effect := range f.fleet.Step(e, time.Now()) {
		f.carryOut(ctx, effect)
	}
	if after := f.fleet.State(); after != before {
		f.Log.Debug().Str("from", string(before)).Str("to", string(after)).Msg("state")
	}
}

func (f *Fleet) carryOut(ctx actor.Context, effect fleet.Effect) {
	switch e := effect.(type) {
	case fleet.Admit:
		f.admit(ctx, e)
	case fleet.Refuse:
		l := f.links[e.Link]
		delete(f.links, e.Link)
		l.Receive(func([]byte) {}, func(error) {})
		l.Close(e.Code, e.Reason)
	case fleet.Close:
		ctx.Send(f.machines[e.Link], closeWith{code: e.Code, reason: e.Reason})
	case fleet.End:
		ctx.Stop(f.machines[e.Link])
		delete(f.machines, e.Link)
		delete(f.links, e.Link)
	case fleet.Greet:
		e.Initialise.Token, e.Initialise.Now = f.options.Token, new(f.W.AtSteady(time.Now()))
		ctx.Send(f.machines[e.Link], greet{initialise: e.Initialise})
	case fleet.Send:
		ctx.Send(f.sessions, order{f.machines[e.Link], e.Packet, e.Confirms})
	case fleet.Own:
		ctx.Send(f.sessions, e)
	case fleet.Pace:
		f.governor = f.spawn(ctx, newGovernor(f.W, e.Shards, e.MaxConcurrency, f.began, ctx.Self(), f.options), "governor")
	case fleet.Repace, fleet.Keep, fleet.Dead, fleet.UsedAll, fleet.Halt, fleet.Resume, fleet.Counting, fleet.Budget, fleet.Unanswered:
		ctx.Send(f.governor, e)
	case fleet.AskDiscord:
		f.ask(ctx)
	case fleet.After:
		f.After(ctx, e.For, later{event: e.Event})
	case fleet.Raise:
		f.raise(e.Event)
	case fleet.Answer:
		if e.Order.Answer != nil {
			e.Order.Answer(e.Verdict)
		}
	case fleet.Remember:
		f.rememberRefusal(e.Refusal)
	case fleet.Warn:
		f.Log.Warn().Err(e.Err).Msg("the identify budget is unknown")
	case fleet.Fail:
		f.options.Failed(e.Err)
	}
}

// admit spawns the actor of a link.
func (f *Fleet) admit(ctx actor.Context, e fleet.Admit) {
	name := fmt.Sprintf("machine-%d", e.Link)
	self := ctx.Self()
	addresses := addresses{fleet: self, governor: actor.NewPID(self.Address, self.Id+"/governor"), sessions: f.sessions}
	f.machines[e.Link] = f.spawn(ctx, newMachine(f.W, name, e.Source, e.Link, f.links[e.Link], addresses, f.options.Heartbeat), name)
}

// spawn spawns a child. Its name is used once.
func (f *Fleet) spawn(ctx actor.Context, props *actor.Props, name string) *actor.PID {
	pid, err := ctx.SpawnNamed(props, name)
	if err != nil {
		panic(err)
	}
	return pid
}

// raise raises an event, without any secret.
func (f *Fleet) raise(e messages.Event) {
	e = f.W.Secrets.Event(e)
	f.W.LogEvent(e)
	if f.options.Observe != nil {
		f.options.Observe(e)
	}
}

// shown (fleet → governor) holds a view without the budget, and its receiver.
type shown struct {
	messages.MayBeLost
	view   messages.FleetView
	answer func(messages.FleetView)
}

// show answers a request for a view. The governor adds the budget.
func (f *Fleet) show(ctx actor.Context, m messages.GetFleetView) {
	view := f.fleet.View(time.Now())
	if f.governor == nil {
		m.Answer(view)
		return
	}
	ctx.Send(f.governor, shown{view: view, answer: m.Answer})
}

// show adds the budget to a view and answers the request for it.
func (g *Governor) show(m shown) {
	now := time.Now()
	if b := g.budget.At(now); b.Total > 0 {
		m.view.Budget = &messages.IdentifyBudget{Total: b.Total, Remaining: b.Remaining, Reserve: b.Reserve, Lent: min(g.withheld(now), b.Remaining), ResetAt: b.Reset.UTC().Truncate(time.Millisecond)}
	}
	m.answer(m.view)
}
