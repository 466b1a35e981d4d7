package sim

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"
)

// mailbox is an actor's mailbox that runs one message a turn, system messages first. Protoactor's
// own runs a whole batch, so that a stop between two messages would never occur.
type mailbox struct {
	loop      *Loop
	boot      *boot // messages after its death are dropped
	name      string
	invoker   actor.MessageInvoker
	system    []any
	user      []any
	suspended bool
	queued    bool // it is among the loop's ready ones
}

// mailbox returns a mailbox whose first message is handled after late.
func (l *Loop) mailbox(b *boot, name string, late time.Duration) *mailbox {
	m := &mailbox{loop: l, boot: b, name: name, queued: late > 0}
	if m.queued {
		l.After(late, func() { m.queued = false; m.wake() })
	}
	l.boxes = append(l.boxes, m)
	return m
}

func (m *mailbox) PostUserMessage(msg any)   { m.user = append(m.user, msg); m.wake() }
func (m *mailbox) PostSystemMessage(msg any) { m.system = append(m.system, msg); m.wake() }
func (m *mailbox) RegisterHandlers(invoker actor.MessageInvoker, _ actor.Dispatcher) {
	m.invoker = invoker
}
func (m *mailbox) Start()                {}
func (m *mailbox) UserMessageCount() int { return len(m.user) }

func (m *mailbox) wake() {
	if !m.queued && !m.boot.dead && !m.boot.frozen && (len(m.system) > 0 || len(m.user) > 0 && !m.suspended) {
		m.queued = true
		m.loop.ready = append(m.loop.ready, m)
	}
}

func (m *mailbox) turn() {
	m.queued = false
	if m.boot.dead || m.boot.frozen {
		return
	}
	var msg any
	defer m.wake()
	defer func() {
		if reason := recover(); reason != nil {
			m.invoker.EscalateFailure(reason, msg)
		}
	}()
	switch {
	case len(m.system) > 0:
		msg, m.system = first(m.system)
		m.loop.note(m.name, msg)
		switch msg.(type) {
		case *actor.SuspendMailbox:
			m.suspended = true
		case *actor.ResumeMailbox:
			m.suspended = false
		default:
			m.invoker.InvokeSystemMessage(msg)
		}
	case len(m.user) > 0 && !m.suspended:
		msg, m.user = first(m.user)
		m.loop.note(m.name, msg)
		m.invoker.InvokeUserMessage(msg)
	}
}

// first removes the first element of a queue and releases it.
func first[T any](queue []T) (T, []T) {
	var none T
	one := queue[0]
	queue[0] = none
	return one, queue[1:]
}
