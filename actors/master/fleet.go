package master

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// Fleet is MASTER's root: it asks Discord what the bot is to be, lets CONTROLs in, and places the shards.
//
//	        shards and limits known            all there, or the wait is over
//	asking ─────────────────────────▶ gathering ─────────────────────────────▶ serving
//
// CONTROLs are let in from the first moment; they are told what the fleet is as soon as it is known.
type Fleet struct {
	world.States
	options   Options
	governor  *actor.PID
	sessions  *actor.PID
	stop      func()    // of the listener
	cancel    func()    // of the question to Discord
	heard     time.Time // of Discord, last
	notBefore time.Time // it wants to be asked again
	tries     int
	said      string    // the last reason said for knowing nothing of Discord
	unknown   string    // the last reason logged for not knowing what may identify
	refusal   int       // close code by which Discord refused a shard of this number, until it is asked what it recommends; 0: none
	refused   time.Time // when that was answered last
	advised   int       // shards that Discord recommended last
	began     time.Time
	epoch     int64
	settings  settings
	seats     map[string]*seat
	sorted    []*seat // the same by their sources; nil: to be sorted anew
	machines  int     // spawned so far, for their names
	orders    int     // given so far, for their ids: a machine that was forgotten remembers those it answered
	whole     bool    // every shard was READY once
	halted    *messages.Halt
	blind     int64          // the epoch in which CONTROLs were greeted without what Discord would say; 0: none was
	budgeted  bool           // Discord said how many may identify, in this life of ours
	heir      time.Time      // when the first machine came that serves by an order from before this life of ours; zero: none did
	deserted  bool           // nobody came as long as CONTROLs were waited for
	reserved  bool           // the buckets are kept for a machine that paces itself
	resumed   *messages.Halt // the last halt that an operator lifted, in this life of ours or before

	knocks, doubles plan.Quota // of what is reported of those that are not let in

	slots
	desk
}

// settings is what the whole fleet has in common.
type settings struct {
	shards, maxConcurrency, perCluster int
}

// Limits of a fleet.
const (
	machinesMax = 2000 // a thousand, and as many that are away
	sourceMax   = 255
)

// knocking is the quota of links that are refused: anyone who reaches the port can make one.
var knocking = plan.Quota{Share: plan.Share{Burst: 10, PerSecond: 1. / 60}}

// What the fleet's World tells it.
type (
	linkCame struct {
		link     transport.Link
		greeting transport.Greeting
	}
	// Stop ends MASTER: its links are closed, its actor ends.
	Stop struct{}
)

// New gives the props of MASTER's root actor. Stop it with Stop.
func New(w *world.World, o Options) *actor.Props {
	return w.Spawn("fleet", func() actor.Actor {
		f := &Fleet{options: o, seats: map[string]*seat{}, knocks: knocking, doubles: knocking}
		f.Begin(w, w.Log.With().Str("actor", "fleet").Logger(), "asking", f.asking)
		return f
	}, actor.WithGuardian(&world.Resume{Log: w.Log}), actor.WithSupervisor(&world.Resume{Log: w.Log}))
}

func (f *Fleet) asking(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		f.start(ctx)
	case discordSaid:
		f.answered(ctx, m)
	case world.Timeout:
		if f.Expired(m) {
			f.ask(ctx)
		}
	case world.Recovered: // the answer may be what was lost
		f.cancel = nil
		f.ask(ctx)
		f.askOthers(ctx)
	case informed:
		f.learned(ctx, m)
	default:
		f.always(ctx)
	}
}

func (f *Fleet) gathering(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		switch {
		case !f.Expired(m):
		case time.Since(m.Due) > f.options.Heartbeat: // we slept, and CONTROLs have yet to come back
			f.In(ctx, max(f.options.Wait, returnWithin))
		case !slices.ContainsFunc(f.inOrder(), func(s *seat) bool { return s.link != nil && s.informed }):
			f.deserted = true // is it us whom nobody reached? The first who comes tells: one that was in a fleet before begins the wait anew
		default:
			f.begin(ctx)
		}
	case world.Recovered:
		f.In(ctx, f.options.Wait)
		f.askAgain(ctx)
	case informed:
		f.informed(ctx, m)
		switch s := f.seats[m.source]; {
		case f.complete() && f.present() >= f.options.Expect:
			f.begin(ctx)
		case !f.deserted || s == nil || !s.informed:
		case f.heir.IsZero() && f.inherited.IsZero():
			f.begin(ctx)
		default:
			f.deserted = false
			f.In(ctx, f.options.Wait)
		}
	default:
		f.always(ctx)
	}
}

func (f *Fleet) serving(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case informed:
		f.informed(ctx, m)
		f.settle(ctx)
	case world.Recovered:
		f.askAgain(ctx)
		f.expectAll(ctx)
		f.settle(ctx)
	default:
		f.always(ctx)
	}
}

// always is what every state does with what it does not name.
func (f *Fleet) always(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case linkCame:
		f.welcome(ctx, m)
	case stands:
		f.stands(ctx, m)
	case released:
		f.released(ctx, m)
	case answered:
		f.acked(ctx, m)
	case parted:
		f.parted(ctx, m)
	case counted:
		f.counted(m)
	case messages.FleetLook:
		f.show(ctx, m)
	case graceOver:
		f.graceOver(ctx, m)
	case forgetDue:
		f.forget(ctx, m)
	case tryAgain:
		f.tryAgain(ctx, m)
	case turnDue:
		f.turnDue(ctx, m)
	case discordSaid:
		f.recounted(ctx, m)
	case recount:
		f.ask(ctx)
	case askOthers:
		f.askOthers(ctx)
	case saidNothing:
		ctx.Send(ctx.Self(), informed{source: m.source, link: m.link, assumed: true})
	case messages.FleetOrder:
		f.take(ctx, m)
	case said:
		f.raise(m.event)
	case fatal:
		f.fatal(ctx, m)
	case Stop:
		ctx.Stop(ctx.Self())
	case *actor.Stopping, *actor.Restarting:
		if f.stop != nil {
			f.stop()
		}
		if f.cancel != nil {
			f.cancel()
		}
		f.Leave()
	case *actor.Terminated:
	default:
		f.Unexpected(ctx)
	}
}

func (f *Fleet) start(ctx actor.Context) {
	f.W.Secrets.Learn(f.options.Token, f.options.Authorization)
	f.began = time.Now()
	f.epoch = int64(f.W.AtSteady(f.began))
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
	f.recallRefusal()
	f.ask(ctx)
	f.After(ctx, othersAfter, askOthers{})
}

// spawn spawns a child whose name is used once.
func (f *Fleet) spawn(ctx actor.Context, props *actor.Props, name string) *actor.PID {
	pid, err := ctx.SpawnNamed(props, name)
	if err != nil {
		panic(err)
	}
	return pid
}

// know: the fleet is known; who is linked already is told.
func (f *Fleet) know(ctx actor.Context, g plan.GatewayBot) {
	s := settings{shards: g.Shards, maxConcurrency: g.MaxConcurrency, perCluster: cmp.Or(f.options.ShardsPerCluster, f.settings.perCluster)}
	if f.options.Shards > 0 {
		s.shards = f.options.Shards
	}
	if f.options.MaxConcurrency > 0 {
		s.maxConcurrency = f.options.MaxConcurrency
	}
	if s.perCluster == 0 {
		s.perCluster = plan.ShardsPerCluster(s.maxConcurrency)
	}
	f.settings = s
	if f.blind > 0 {
		f.epoch++ // what is said from now on is said by who knows that it asks for permits
	}
	f.raise(messages.FleetAsked{ShardCount: s.shards, MaxConcurrency: s.maxConcurrency, Remaining: g.Remaining})
	f.governor = f.spawn(ctx, newGovernor(f.W, s.shards, s.maxConcurrency, f.began, ctx.Self(), f.options), "governor")
	ctx.Send(f.governor, f.discordSays(g))
	if f.halted != nil {
		ctx.Send(f.governor, halted{})
	}
	f.Enter("gathering", f.gathering)
	f.In(ctx, f.options.Wait)
	for _, seat := range f.inOrder() {
		f.greet(ctx, seat)
	}
}

// begin ends the wait.
func (f *Fleet) begin(ctx actor.Context) {
	f.Enter("serving", f.serving)
	f.seating = time.Now().Add(seatWithin)
	f.After(ctx, seatWithin, tryAgain{})
	f.After(ctx, time.Until(f.began.Add(f.options.Lease+leaseMargin)), tryAgain{}) // awaits
	f.expectAll(ctx)
	f.judge(ctx)
	f.carryOutWaiting(ctx)
	for _, s := range f.inOrder() {
		f.confirmAll(ctx, s)
	}
	f.settle(ctx)
}

// inOrder is every seat by its source: what is done to several is done in this order.
func (f *Fleet) inOrder() []*seat {
	if f.sorted == nil {
		for _, source := range slices.Sorted(maps.Keys(f.seats)) {
			f.sorted = append(f.sorted, f.seats[source])
		}
	}
	return f.sorted
}

// raise tells an event.
func (f *Fleet) raise(e messages.Event) {
	e = f.W.Secrets.Event(e) // here, before anyone hears of it
	f.W.LogEvent(e)
	if f.options.Told != nil {
		f.options.Told(e)
	}
}
