package cmd

import (
	"strings"
	"sync"
	"sync/atomic"

	"github.com/asynkron/protoactor-go/actor"
)

// mailboxes counts the messages that wait for the actors of one World.
type mailboxes struct {
	mu  sync.Mutex
	all map[string]*waiting // by the actor's name
}

func newMailboxes() *mailboxes { return &mailboxes{all: map[string]*waiting{}} }

// props gives an actor a mailbox that is counted, in place of an earlier one of its name.
func (m *mailboxes) props(name string) []actor.PropsOption {
	w := &waiting{}
	m.mu.Lock()
	m.all[name] = w
	m.mu.Unlock()
	return []actor.PropsOption{actor.WithMailbox(actor.Unbounded(w))}
}

// depths is how many wait, by the kind of actor: "cluster" for all clusters.
func (m *mailboxes) depths() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	depths := map[string]int{}
	for name, w := range m.all {
		kind, _, _ := strings.Cut(name, "/")
		depths[kind] += max(int(w.n.Load()), 0)
	}
	return depths
}

// waiting is the depth of one mailbox.
type waiting struct{ n atomic.Int64 }

// MailboxStarted is part of actor.MailboxMiddleware.
func (w *waiting) MailboxStarted() {}

// MessagePosted is part of actor.MailboxMiddleware.
func (w *waiting) MessagePosted(any) { w.n.Add(1) }

// MessageReceived is part of actor.MailboxMiddleware.
func (w *waiting) MessageReceived(any) { w.n.Add(-1) }

// MailboxEmpty is part of actor.MailboxMiddleware. It makes up for messages whose handling panicked, which nobody says were received.
func (w *waiting) MailboxEmpty() { w.n.Store(0) }
