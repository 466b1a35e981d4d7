package world

import (
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/messages"
)

// Panic is the error of a panic in an actor, with the stack that protoactor drops.
type Panic struct {
	Message string // type of the message that was being handled
	Value   any
	Stack   string
}

func (p *Panic) Error() string { return fmt.Sprintf("panic on %s: %v", p.Message, p.Value) }

// Spawn returns the props every actor here is spawned with: its producer, guard, and what the World
// adds.
func (w *World) Spawn(name string, producer actor.Producer, more ...actor.PropsOption) *actor.Props {
	return w.SpawnOn(actor.Unbounded(), name, producer, more...)
}

// SpawnOn is Spawn for an actor with a mailbox of its own kind.
func (w *World) SpawnOn(wanted actor.MailboxProducer, name string, producer actor.Producer, more ...actor.PropsOption) *actor.Props {
	options := append([]actor.PropsOption{actor.WithReceiverMiddleware(guard(w.Log)), actor.WithMailbox(wanted)}, more...)
	if w.Props != nil {
		options = append(options, w.Props(name, wanted)...)
	}
	return actor.PropsFromProducer(producer, options...)
}

// guard turns a panic into *Panic, and swallows one on the last messages of an actor: protoactor
// would leave a zombie that its parent waits for forever.
func guard(log zerolog.Logger) actor.ReceiverMiddleware {
	return func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(ctx actor.ReceiverContext, env *actor.MessageEnvelope) {
			defer func() {
				value := recover()
				if value == nil {
					return
				}
				p := &Panic{Message: fmt.Sprintf("%T", env.Message), Value: value, Stack: string(debug.Stack())}
				switch env.Message.(type) {
				case *actor.Stopping, *actor.Stopped, *actor.Restarting:
					log.Error().Str("actor", ctx.Self().Id).Err(p).Str("stack", p.Stack).Msg("panic while ending")
					return
				}
				panic(p)
			}()
			next(ctx, env)
		}
	}
}

// Resume is the supervision of a root and of actors whose state cannot be rebuilt: the message that
// panicked is lost, the actor goes on.
type Resume struct {
	Log zerolog.Logger
	// Report sends the event of the panic to the actor that raises it; nil: only the log has it.
	Report func(root *actor.RootContext, child *actor.PID, broken messages.ControlBroken)
}

// Recovered follows a panic of an actor that goes on. The message that it panicked on is lost, and
// may have been an answer or a timer it waits for: the actor asks, and sets its timers, again.
type Recovered struct{}

// HandleFailure logs the panic with its stack and resumes the actor.
func (r *Resume) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	err := AsError(reason)
	LogPanic(r.Log, child.Id, err)
	supervisor.ResumeChildren(child)
	if r.Report != nil {
		r.Report(system.Root, child, messages.ControlBroken{Actor: child.Id, Err: err.Error()})
	}
	system.Root.Send(child, Recovered{})
}

// LogPanic logs a panic with its stack.
func LogPanic(log zerolog.Logger, id string, err error) {
	event := log.Error().Str("actor", id).Err(err)
	var p *Panic
	if errors.As(err, &p) {
		event = event.Str("stack", p.Stack)
	}
	event.Msg("actor panicked")
}

// AsError returns the reason of a failure as an error.
func AsError(reason any) error {
	if err, ok := reason.(error); ok {
		return err
	}
	return fmt.Errorf("%v", reason)
}
