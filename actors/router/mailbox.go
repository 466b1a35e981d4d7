package router

import (
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// lentMailbox is run by whoever puts something into it while nobody runs it: waking another thread takes longer than all that the Router does with a frame. Mostly that is
// the reader of a link, which reads nothing meanwhile; so it is relieved where others send without a pause.
type lentMailbox struct {
	actor.Mailbox
	actor.MessageInvoker
	actor.Dispatcher // of who relieves
	ran              int
	relieve          atomic.Bool
}

// stint is how many messages one runs at most; protoactor's own figure.
const stint = 300

func newLentMailbox() actor.Mailbox {
	return &lentMailbox{Mailbox: actor.Unbounded()(), Dispatcher: actor.NewDefaultDispatcher(stint)}
}

// RegisterHandlers implements actor.Mailbox.
func (m *lentMailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.MessageInvoker = invoker
	m.Mailbox.RegisterHandlers(m, m)
}

// InvokeUserMessage implements actor.MessageInvoker. The message is the last one of its stint where the mailbox is suspended on it: nothing else makes protoactor leave
// messages where they are.
func (m *lentMailbox) InvokeUserMessage(message any) {
	if m.ran++; m.ran == stint {
		m.ran = 0
		m.PostSystemMessage(&actor.SuspendMailbox{})
		m.relieve.Store(true) // not sooner: who ran it before us may see it, and what he resumes must have been suspended
	}
	m.MessageInvoker.InvokeUserMessage(message)
}

// Schedule implements actor.Dispatcher.
func (m *lentMailbox) Schedule(run func()) {
	run()
	if m.relieve.Swap(false) {
		m.Dispatcher.Schedule(func() { m.PostSystemMessage(&actor.ResumeMailbox{}) })
	}
}
