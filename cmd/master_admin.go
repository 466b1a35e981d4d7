package cmd

import (
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/admin"
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

// GetFleetView is part of admin.Fleet.
func (m *localMaster) GetFleetView(l messages.GetFleetView) { m.system.Root.Send(m.root, l) }

// OrderFleet is part of admin.Fleet.
func (m *localMaster) OrderFleet(o messages.FleetOrder) {
	after, answer := m.events.last(), o.Answer
	o.Answer = func(v messages.Verdict) {
		v.After = after
		answer(v)
	}
	m.system.Root.Send(m.root, o)
}

// Follow is part of admin.Fleet.
func (m *localMaster) Follow(f messages.Follow) { m.events.Follow(f) }

// openMasterAdmin starts the admin server of a MASTER.
func openMasterAdmin(c *config.Config, m *localMaster, log zerolog.Logger) (*adminListener, error) {
	report := func(e messages.Event) {
		e = secrets.Event(e)
		(&world.World{Log: log}).LogEvent(e)
		m.events.add(e)
	}
	a, err := openAdmin(c, masterSocket, func(o admin.Options) *admin.Server { return admin.New(o, nil, m) }, report, log)
	if err != nil {
		return nil, err
	}
	for _, e := range a.failures {
		report(e)
	}
	return a, nil
}
