package router

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// lentMailbox runs on the goroutine of the sender that finds it idle, because waking another thread
// takes longer than the Router's work on a frame. That goroutine is mostly the reader of a link,
// which reads nothing while it runs the mailbox; so after a batch it hands off to the Dispatcher.
type lentMailbox struct {
	actor.Mailbox
	actor.MessageInvoker
	actor.Dispatcher // runs the mailbox after a hand-off
	ran              int
	handOff          atomic.Bool
}

// batch is the number of messages that one goroutine handles at most; protoactor's default.
const batch = 300

func newLentMailbox() actor.Mailbox {
	return &lentMailbox{Mailbox: actor.Unbounded()(), Dispatcher: actor.NewDefaultDispatcher(batch)}
}

// RegisterHandlers implements actor.Mailbox.
func (m *lentMailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.MessageInvoker = invoker
	m.Mailbox.RegisterHandlers(m, m)
}

// InvokeUserMessage implements actor.MessageInvoker. It suspends the mailbox at the last message of
// a batch: nothing else makes protoactor stop with messages in the mailbox.
func (m *lentMailbox) InvokeUserMessage(message any) {
	if m.ran++; m.ran == batch {
		m.ran = 0
		m.PostSystemMessage(&actor.SuspendMailbox{})
		m.handOff.Store(true) // after the suspension: the previous goroutine may see this and resume
	}
	m.MessageInvoker.InvokeUserMessage(message)
}

// Schedule implements actor.Dispatcher.
func (m *lentMailbox) Schedule(run func()) {
	run()
	if m.handOff.Swap(false) {
		m.Dispatcher.Schedule(func() { m.PostSystemMessage(&actor.ResumeMailbox{}) })
	}
}
