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

// bulletin keeps MASTER's last events, and tells those who follow. MASTER's actor writes, others read.
type bulletin struct {
	mu  sync.Mutex
	log *plan.Chronicle
}

func newBulletin(name string) *bulletin {
	return &bulletin{log: plan.NewChronicle(name, time.Now())}
}

func (b *bulletin) told(e messages.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log.Tell(e, time.Now())
}

// last is the id of the last event.
func (b *bulletin) last() uint64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.log.Last
}

// Follow is part of admin.Fleet.
func (b *bulletin) Follow(m messages.Follow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.log.Follow(m)
}

// LookAtFleet is part of admin.Fleet.
func (m *masterIn) LookAtFleet(l messages.FleetLook) { m.system.Root.Send(m.root, l) }

// OrderFleet is part of admin.Fleet.
func (m *masterIn) OrderFleet(o messages.FleetOrder) {
	after, answer := m.news.last(), o.Answer
	o.Answer = func(v messages.Verdict) {
		v.After = after
		answer(v)
	}
	m.system.Root.Send(m.root, o)
}

// Follow is part of admin.Fleet.
func (m *masterIn) Follow(f messages.Follow) { m.news.Follow(f) }

// openMasterAdmin lets a MASTER be seen.
func openMasterAdmin(c *config.Config, m *masterIn, log zerolog.Logger) (*adminIn, error) {
	told := func(e messages.Event) {
		e = secrets.Event(e)
		(&world.World{Log: log}).LogEvent(e)
		m.news.told(e)
	}
	a, err := openAdmin(c, masterSocket, func(o admin.Options) *admin.Server { return admin.New(o, nil, m) }, told, log)
	if err != nil {
		return nil, err
	}
	for _, e := range a.missing {
		told(e)
	}
	return a, nil
}
