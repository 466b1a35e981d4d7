package cmd

import (
	"slices"
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
	mu        sync.Mutex
	log       *plan.Chronicle
	followers []messages.Follow
}

func newBulletin(name string) *bulletin {
	return &bulletin{log: plan.NewChronicle(name, time.Now())}
}

func (b *bulletin) told(e messages.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	told := b.log.Add(e, time.Now())
	_, level := e.Event()
	b.followers = slices.DeleteFunc(b.followers, func(f messages.Follow) bool {
		return level >= f.Least && !f.Tell(messages.Telling{Events: []messages.Told{told}, Last: told.ID})
	})
}

// Follow is part of admin.Fleet.
func (b *bulletin) Follow(m messages.Follow) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if m.Tell(b.log.Since(m.After, m.Least)) {
		b.followers = append(b.followers, m)
	}
}

// LookAtFleet is part of admin.Fleet.
func (m *masterIn) LookAtFleet(l messages.FleetLook) { m.system.Root.Send(m.root, l) }

// Follow is part of admin.Fleet.
func (m *masterIn) Follow(f messages.Follow) { m.news.Follow(f) }

// openMasterAdmin lets a MASTER be seen.
func openMasterAdmin(c *config.Config, m *masterIn, log zerolog.Logger) (*adminIn, error) {
	a, err := openAdmin(c, masterSocket, func(o admin.Options) *admin.Server { return admin.New(o, nil, m) }, log)
	if err != nil {
		return nil, err
	}
	for _, e := range a.missing {
		(&world.World{Log: log}).LogEvent(e)
		m.news.told(e)
	}
	return a, nil
}
