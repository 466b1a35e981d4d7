package daemon

import (
	"sync"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// eventLog keeps MASTER's last events and sends them to its followers. It is safe for concurrent
// use.
type eventLog struct {
	mu  sync.Mutex
	log *plan.EventLog
}

func newEventLog(name string) *eventLog {
	return &eventLog{log: plan.NewEventLog(name, time.Now())}
}

func (b *eventLog) add(e messages.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log.Record(e, time.Now())
}

// last returns the id of the last event.
func (b *eventLog) last() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Last
}

// Follow is part of admin.Fleet.
func (b *eventLog) Follow(m messages.Follow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log.Follow(m)
}
