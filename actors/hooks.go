package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// HookOptions is which command is run for which events.
type HookOptions struct {
	Command []string
	Events  []string      // names; none: every event of level warn or error
	Timeout time.Duration // of one run
	Machine string        // our name in the fleet
}

// Limits of what tells the outside.
const (
	hooksAtOnce = 4
	alertsMax   = 100 // that wait; more are lost, and said to be
)

// Hooks is the behaviour that runs the operator's command for each event, the event as one line of JSON on its stdin (plan.Line).
// A command that fails is logged and not run again.
func Hooks(o HookOptions) Behaviour {
	return Behaviour{Name: "hooks", Actor: func(w *world.World, h House) actor.Actor {
		return &hooks{w: w, house: h, options: o, waiting: backlog[[]byte]{log: w.Log.With().Str("actor", "hooks").Logger()}}
	}}
}

type hooks struct {
	w       *world.World
	house   House
	options HookOptions

	running int
	waiting backlog[[]byte] // lines
}

// hookEnded is a command that is over.
type hookEnded struct{ err error }

// IgnoreDeadLetterLogging marks the end of a command that outlived its actor as nothing to report.
func (hookEnded) IgnoreDeadLetterLogging() {}

// Receive is its only state.
func (h *hooks) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(h.house.Herald, messages.Subscribe{})
	case messages.Event:
		if !plan.Alarming(m, h.options.Events) {
			return
		}
		line, err := plan.Line(plan.Alert{Event: m, At: time.Now(), Machine: h.options.Machine})
		if err != nil {
			h.waiting.log.Error().Err(err).Msg("event cannot be told")
			return
		}
		h.waiting.add(line)
		h.next(ctx)
	case hookEnded:
		h.running--
		if m.err != nil {
			h.waiting.log.Warn().Err(m.err).Msg("hook failed")
		}
		h.next(ctx)
	}
}

// next runs what waits, as far as there is room.
func (h *hooks) next(ctx actor.Context) {
	send := world.Sender(ctx)
	for h.running < hooksAtOnce && len(h.waiting.items) > 0 {
		line := h.waiting.items[0]
		h.waiting.took(1)
		h.running++
		h.w.Hook(h.options.Command, line, h.options.Timeout, func(err error) { send(hookEnded{err}) })
	}
}

// backlog is what waits to be told, the oldest first, at most alertsMax. What comes to a full one is lost: that is said at once, and how many were once it is empty.
type backlog[T any] struct {
	log   zerolog.Logger
	items []T
	lost  int
}

func (b *backlog[T]) add(item T) {
	if len(b.items) < alertsMax {
		b.items = append(b.items, item)
		return
	}
	if b.lost == 0 {
		b.log.Warn().Int("waiting", alertsMax).Msg("events come faster than they can be told; some are lost")
	}
	b.lost++
}

// took removes the first n.
func (b *backlog[T]) took(n int) {
	b.items = b.items[n:]
	if len(b.items) == 0 && b.lost > 0 {
		b.log.Warn().Int("lost", b.lost).Msg("events were not told")
		b.lost = 0
	}
}
