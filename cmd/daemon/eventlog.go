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

func (l *eventLog) add(e messages.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log.Record(e, time.Now())
}

// last returns the id of the last event.
func (l *eventLog) last() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.log.Last
}

// Follow is part of admin.Fleet.
func (l *eventLog) Follow(m messages.Follow) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.log.Follow(m)
}
