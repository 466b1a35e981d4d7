package cmd

import (
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// statusEvery is how often systemd hears how we are where it wants no sign of life.
const statusEvery = 5 * time.Second

// pulse tells systemd that we live, each time that every actor it asks has answered: one that hangs in a message stops it, and systemd ends us then, with every stack
// in the journal, and starts us again; the bots go on meanwhile. It tells how the clusters stand, too.
type pulse struct {
	w      *world.World
	say    func(what ...string)
	every  time.Duration
	asked  []*actor.PID
	herald *actor.PID // nil: there are no events to hear

	waiting  map[string]bool // who has not answered, by id
	clusters map[messages.ClusterID]messages.ClusterMoved
	unlinked bool // MASTER is away
	said     string
	cancel   func()
}

// pulseBehaviour is the pulse of a CONTROL, and of the MASTER inside, nil where it is elsewhere.
func pulseBehaviour(s *systemd, master *masterIn) actors.Behaviour {
	return actors.Behaviour{Name: "pulse", Actor: func(w *world.World, h actors.House) actor.Actor {
		asked := []*actor.PID{h.MasterLink, h.Clusters, h.Gate, h.Sessions, h.Herald}
		if master != nil {
			asked = append(asked, master.root)
		}
		return newPulse(w, s, h.Herald, asked...)
	}}
}

func newPulse(w *world.World, s *systemd, herald *actor.PID, asked ...*actor.PID) *pulse {
	p := &pulse{w: w, say: s.say, every: statusEvery, asked: asked, herald: herald, waiting: map[string]bool{}, clusters: map[messages.ClusterID]messages.ClusterMoved{}}
	if s.watch > 0 {
		p.every = s.watch / 3
	}
	return p
}

// pulseDue is the time for the next question.
type pulseDue struct{}

// IgnoreDeadLetterLogging marks a timer that outlived its actor as nothing to report.
func (pulseDue) IgnoreDeadLetterLogging() {}

// Receive is its only state.
func (p *pulse) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		if p.herald != nil {
			ctx.Request(p.herald, messages.Subscribe{})
		}
		p.ask(ctx)
	case pulseDue, world.Recovered:
		p.ask(ctx)
	case *actor.Touched:
		delete(p.waiting, m.GetWho().GetId())
		if len(p.waiting) == 0 {
			p.say("WATCHDOG=1")
		}
	case messages.ClusterMoved:
		p.clusters[m.Cluster] = m
		if m.State == messages.ClusterStopped {
			delete(p.clusters, m.Cluster)
		}
	case messages.MasterLinked:
		p.unlinked = false
	case messages.MasterLost, messages.MasterUnreachable:
		p.unlinked = true
	case *actor.Stopping:
		p.cancel()
	}
}

// ask asks everybody whether he lives, once the last question is answered; who does not answer has the question still before him.
func (p *pulse) ask(ctx actor.Context) {
	if p.cancel != nil {
		p.cancel()
	}
	send := world.Sender(ctx)
	p.cancel = p.w.After(p.every, func() { send(pulseDue{}) })
	if status := p.status(); p.herald != nil && status != p.said {
		p.say("STATUS=" + status)
		p.said = status
	}
	if len(p.waiting) > 0 {
		return
	}
	for _, pid := range p.asked {
		p.waiting[pid.Id] = true
		ctx.Request(pid, &actor.Touch{})
	}
}

// status is one line about all clusters.
func (p *pulse) status() string {
	serving, ready, shards := 0, 0, 0
	for _, c := range p.clusters {
		if c.State == messages.ClusterServing {
			serving++
		}
		ready += c.Ready
		shards += c.Range.Len()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d clusters serve, %d of %d shards are READY", serving, len(p.clusters), ready, shards)
	if p.unlinked {
		b.WriteString("; MASTER is out of reach")
	}
	return b.String()
}
