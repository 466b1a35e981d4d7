package world

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/messages"
)

// States is an actor's state machine: one method for each state, one way to change it, one timeout
// that ends with the state. Embed it, and call Begin in the producer.
type States struct {
	actor.Behavior
	W   *World
	Log zerolog.Logger

	state string
	timer *timer // that In set last; nil: none
}

type timer struct{ cancel func() }

// Timeout arrives when the time set by In is over, unless another one was set or the state was
// left.
type Timeout struct {
	messages.MayBeLost
	Due time.Time
	set *timer
}

// Begin sets the state in which Started arrives.
func (s *States) Begin(w *World, log zerolog.Logger, name string, receive actor.ReceiveFunc) {
	s.W, s.Log, s.state = w, log, name
	s.Become(receive)
}

// Receive passes a message to the current state. A Timeout that fired before it was cancelled is
// dropped.
func (s *States) Receive(ctx actor.Context) {
	if t, is := ctx.Message().(Timeout); is && t.set != s.timer {
		return
	}
	s.Behavior.Receive(ctx)
}

// Enter moves to another state: its timeout is cancelled.
func (s *States) Enter(name string, receive actor.ReceiveFunc) {
	s.Log.Debug().Str("from", s.state).Str("to", name).Msg("state")
	s.Leave()
	s.state = name
	s.Become(receive)
}

// Leave cancels the timeout of the current state without entering another one.
func (s *States) Leave() {
	if s.timer != nil {
		s.timer.cancel()
		s.timer = nil
	}
}

// State returns the name of the current state.
func (s *States) State() string { return s.state }

// In asks for one Timeout in the current state, in place of one asked for before.
func (s *States) In(ctx actor.Context, d time.Duration) {
	s.Leave()
	t := &timer{}
	s.timer = t
	t.cancel = s.After(ctx, d, Timeout{Due: time.Now().Add(d), set: t})
}

// After sends msg to the actor itself once d has passed.
func (s *States) After(ctx actor.Context, d time.Duration, msg any) (cancel func()) {
	send := Sender(ctx)
	return s.W.After(d, func() { send(msg) })
}

// Unexpected logs a message that the state does not handle: silence would look like a hang.
func (s *States) Unexpected(ctx actor.Context) {
	switch ctx.Message().(type) {
	case actor.SystemMessage, actor.AutoReceiveMessage, actor.AutoRespond, Timeout, Recovered:
	default:
		s.Log.Error().Str("state", s.state).Str("type", fmt.Sprintf("%T", ctx.Message())).Msg("unexpected message")
	}
}

// Sender returns a function that sends to the actor itself, from anywhere and at any time.
func Sender(ctx actor.Context) func(msg any) {
	root, self := ctx.ActorSystem().Root, ctx.Self()
	return func(msg any) { root.Send(self, msg) }
}
