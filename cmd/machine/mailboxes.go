package machine

import (
	"strings"
	"sync"

	"github.com/asynkron/protoactor-go/actor"
)

// mailboxes holds the mailbox of every actor of one World, to count the messages that wait.
type mailboxes struct {
	mu  sync.Mutex
	all map[string]actor.Mailbox // by the actor's name
}

func newMailboxes() *mailboxes { return &mailboxes{all: map[string]actor.Mailbox{}} }

// props returns props with the wanted mailbox, and counts it in place of an earlier one of that
// name.
func (m *mailboxes) props(name string, wanted actor.MailboxProducer) []actor.PropsOption {
	return []actor.PropsOption{actor.WithMailbox(func() actor.Mailbox {
		box := wanted()
		m.mu.Lock()
		defer m.mu.Unlock()
		m.all[name] = box
		return box
	})}
}

// depths returns how many messages wait, by the kind of actor: "cluster" for all clusters.
func (m *mailboxes) depths() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	depths := map[string]int{}
	for name, box := range m.all {
		kind, _, _ := strings.Cut(name, "/")
		depths[kind] += box.UserMessageCount()
	}
	return depths
}
