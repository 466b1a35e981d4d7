package master

import (
	"encoding/json"
	"errors"
	"fmt"
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
	options  Options
	governor *actor.PID
	stop     func() // of the listener
	cancel   func() // of the question to Discord
	tries    int
	said     string // the last reason said for knowing nothing of Discord
	began    time.Time
	epoch    int64
	settings settings
	seats    map[string]*seat
	machines int  // spawned so far, for their names
	whole    bool // every shard was READY once
	halted   *messages.Halt
}

// settings is what the whole fleet has in common.
type settings struct {
	shards, maxConcurrency, perCluster int
}

// seat is a CONTROL that was linked once in this MASTER's life, by its source.
type seat struct {
	source   string
	instance string
	remote   string
	host     string
	pid      *actor.PID
	link     transport.Link // nil: away
	informed bool           // said what it serves, since it was linked
	spare    bool
	granted  []messages.ShardRange // by us, whether it says so yet or not
	ranges   []messages.RangeInfo  // as it says itself
	place    messages.Place
	orders   int
	counts   counted // its figures, as it said last
}

// Limits of a fleet.
const (
	machinesMax = 1000
	sourceMax   = 255
)

// HTTP statuses that tell what to do.
const (
	statusOK           = 200
	statusUnauthorized = 401
)

// What the fleet's World tells it.
type (
	linkCame struct {
		link     transport.Link
		greeting transport.Greeting
	}
	discordSaid struct {
		response world.Response
		err      error
	}
	// Stop ends MASTER: its links are closed, its actor ends.
	Stop struct{}
)

// New gives the props of MASTER's root actor. Stop it with Stop.
func New(w *world.World, o Options) *actor.Props {
	return w.Spawn("fleet", func() actor.Actor {
		f := &Fleet{options: o, seats: map[string]*seat{}}
		f.Begin(w, w.Log.With().Str("actor", "fleet").Logger(), "asking", f.asking)
		return f
	}, actor.WithGuardian(&world.Resume{Log: w.Log}), actor.WithSupervisor(&world.Resume{Log: w.Log}))
}

func (f *Fleet) asking(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		f.start(ctx)
	case discordSaid:
		f.cancel = nil
		f.answered(ctx, m)
	case world.Timeout:
		if f.Expired(m) {
			f.ask(ctx)
		}
	case linkCame:
		f.admit(ctx, m)
	default:
		f.always(ctx)
	}
}

func (f *Fleet) gathering(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		if f.Expired(m) {
			f.begin(ctx)
		}
	case informed:
		f.informed(ctx, m)
		if f.options.Expect > 0 && f.present() >= f.options.Expect {
			f.begin(ctx)
		}
	case linkCame:
		if s := f.admit(ctx, m); s != nil {
			f.greet(ctx, s)
		}
	default:
		f.always(ctx)
	}
}

func (f *Fleet) serving(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case informed:
		f.informed(ctx, m)
		f.place(ctx)
	case linkCame:
		if s := f.admit(ctx, m); s != nil {
			f.greet(ctx, s)
		}
	default:
		f.always(ctx)
	}
}

// always is what every state does with what it does not name.
func (f *Fleet) always(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case stands:
		if s := f.seats[m.source]; s != nil && s.link == m.link {
			s.ranges = m.ranges
			f.look(ctx)
		}
	case parted:
		f.parted(ctx, m)
	case counted:
		f.counted(m)
	case messages.FleetLook:
		m.Answer(f.view())
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
	f.began = time.Now()
	f.epoch = f.began.UnixMilli()
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
	f.ask(ctx)
}

// ask puts the question to Discord, unless everything was set by hand.
func (f *Fleet) ask(ctx actor.Context) {
	if f.options.Shards > 0 && f.options.MaxConcurrency > 0 {
		f.know(ctx, f.options.Shards, f.options.MaxConcurrency, 0)
		return
	}
	send := world.Sender(ctx)
	f.cancel = f.W.Fetch(world.Request{
		Method: "GET", URL: f.options.API + "/api/v10/gateway/bot", Timeout: 15 * time.Second,
		Header: map[string]string{"Authorization": "Bot " + f.options.Token.Reveal(), "User-Agent": "DiscordBot (https://github.com/discluster/control, 1)"},
	}, func(r world.Response, err error) { send(discordSaid{r, err}) })
}

func (f *Fleet) answered(ctx actor.Context, m discordSaid) {
	var gateway struct {
		Shards int `json:"shards"`
		Limit  struct {
			Remaining      int `json:"remaining"`
			MaxConcurrency int `json:"max_concurrency"`
		} `json:"session_start_limit"`
	}
	err := m.err
	switch {
	case err != nil:
	case m.response.Status == statusUnauthorized:
		f.raise(messages.TokenRefused{Err: "Discord answered 401"})
		f.options.Failed(errors.New("discord.token: Discord does not know it (401)"))
		return
	case m.response.Status != statusOK:
		err = fmt.Errorf("GET /gateway/bot: status %d", m.response.Status)
	default:
		if err = json.Unmarshal(m.response.Body, &gateway); err == nil && (gateway.Shards < 1 || gateway.Limit.MaxConcurrency < 1) {
			err = fmt.Errorf("GET /gateway/bot: shards %d, max_concurrency %d: want at least 1 of each", gateway.Shards, gateway.Limit.MaxConcurrency)
		}
	}
	if err != nil {
		wait := plan.Redial(true, min(f.tries+1, 5), f.W.Rand())
		f.tries++
		if err.Error() != f.said {
			f.said = err.Error()
			f.raise(messages.DiscordUnreachable{Err: err.Error(), RetryInMS: messages.Millis(wait)})
		}
		f.In(ctx, wait)
		return
	}
	f.know(ctx, gateway.Shards, gateway.Limit.MaxConcurrency, gateway.Limit.Remaining)
}

// know: the fleet is known; who is linked already is told.
func (f *Fleet) know(ctx actor.Context, shards, maxConcurrency, remaining int) {
	s := settings{shards: shards, maxConcurrency: maxConcurrency, perCluster: f.options.ShardsPerCluster}
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
	f.raise(messages.FleetAsked{ShardCount: s.shards, MaxConcurrency: s.maxConcurrency, Remaining: remaining})
	pid, err := ctx.SpawnNamed(newGovernor(f.W, s.maxConcurrency, f.options), "governor")
	if err != nil {
		panic(err) // spawned once
	}
	f.governor = pid
	f.Enter("gathering", f.gathering)
	f.In(ctx, f.options.Wait)
	for _, seat := range f.inOrder() {
		f.greet(ctx, seat)
	}
}
