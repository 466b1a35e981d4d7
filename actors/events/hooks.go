package events

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// HookOptions sets the command to run and its events.
type HookOptions struct {
	Command []string
	Events  []string      // names; none: every event of level warn or error
	Timeout time.Duration // of one run
	Machine string        // this machine's name in the fleet
}

// Limits of the alert channels.
const (
	hooksAtOnce = 4
	alertsMax   = 100 // waiting; more are lost, and reported as lost
)

// Hooks returns the behaviour that runs the operator's command for each event, with the event as
// one line of JSON on its stdin (plan.Line). A command that fails is not run again: its alert is
// lost (messages.AlertsLost).
func Hooks(o HookOptions) world.Behaviour {
	return world.Behaviour{Name: "hooks", Actor: func(w *world.World, addresses world.Addresses) actor.Actor {
		log := w.Log.With().Str("actor", "hooks").Logger()
		return &hooks{w: w, addresses: addresses, options: o, waiting: backlog[[]byte]{log: log}, losses: losses{by: messages.AlertHook, events: addresses.Events}}
	}}
}

type hooks struct {
	w         *world.World
	addresses world.Addresses
	options   HookOptions

	running int
	waiting backlog[[]byte] // lines
	losses  losses
}

// hookEnded reports the end of a command.
type hookEnded struct {
	messages.MayBeLost
	err error
}

// Receive handles every message; there is one state.
func (h *hooks) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(h.addresses.Events, messages.Subscribe{})
	case messages.Event:
		if !plan.Alerts(messages.AlertHook, m, h.options.Events) {
			return
		}
		line, err := plan.Line(plan.Alert{Event: m, At: time.Now(), Machine: h.options.Machine})
		if err != nil {
			h.waiting.log.Error().Err(err).Msg("cannot encode event")
			return
		}
		if !h.waiting.add(line) {
			h.losses.count(ctx, 1)
		}
		h.next(ctx)
	case hookEnded:
		h.running--
		if m.err != nil {
			h.losses.report(ctx, 1, m.err.Error())
		}
		h.next(ctx)
	}
}

// next runs the command for waiting events, hooksAtOnce at a time.
func (h *hooks) next(ctx actor.Context) {
	send := world.Sender(ctx)
	for h.running < hooksAtOnce && len(h.waiting.items) > 0 {
		line := h.waiting.items[0]
		h.waiting.drop(1)
		h.running++
		h.w.Hook(h.options.Command, line, h.options.Timeout, func(err error) { send(hookEnded{err: err}) })
	}
}

// lossesEvery is the least time between two reports of lost alerts.
const lossesEvery = 10 * time.Minute

// losses reports the alerts that a channel did not deliver: the first within lossesEvery as an
// error, all of them for the counters.
type losses struct {
	by       messages.AlertChannel
	events   *actor.PID
	reported time.Time
}

func (l *losses) report(ctx actor.Context, lost int, err string) {
	now := time.Now()
	quiet := !l.reported.IsZero() && now.Sub(l.reported) < lossesEvery
	if !quiet {
		l.reported = now
	}
	ctx.Send(l.events, messages.AlertsLost{By: l.by, Lost: lost, Err: err, Quiet: quiet})
}

// count reports a loss that is in the log already.
func (l *losses) count(ctx actor.Context, lost int) {
	ctx.Send(l.events, messages.AlertsLost{By: l.by, Lost: lost, Err: "events come faster than they can be delivered", Quiet: true})
}

// backlog holds the waiting alerts, oldest first, at most alertsMax. An alert that finds it full is
// lost: the first loss is logged at once, their number once the backlog is empty.
type backlog[T any] struct {
	log   zerolog.Logger
	items []T
	lost  int
}

// add reports whether there was room.
func (b *backlog[T]) add(item T) bool {
	if len(b.items) < alertsMax {
		b.items = append(b.items, item)
		return true
	}
	if b.lost == 0 {
		b.log.Warn().Int("waiting", alertsMax).Msg("events come faster than they can be delivered; some are lost")
	}
	b.lost++
	return false
}

// drop removes the first n items.
func (b *backlog[T]) drop(n int) {
	b.items = b.items[n:]
	if len(b.items) == 0 && b.lost > 0 {
		b.log.Warn().Int("lost", b.lost).Msg("events were not delivered")
		b.lost = 0
	}
}
