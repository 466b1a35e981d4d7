package daemon

import (
	"fmt"
	"strings"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/messages"
)

// statusEvery is the pause between two status lines to systemd without a watchdog.
const statusEvery = 5 * time.Second

// watchdog notifies systemd each time that every target has answered. If an actor hangs, the
// notifications stop and systemd restarts CONTROL, with every stack in the journal; the bots keep
// serving. It also sends a status line about the clusters.
type watchdog struct {
	w        *world.World
	notify   func(what ...string)
	interval time.Duration
	targets  []*actor.PID
	events   *actor.PID // nil: no events, as for a MASTER

	waiting    map[string]bool // ids of the targets that have not answered
	clusters   map[messages.ClusterID]messages.ClusterMoved
	unlinked   bool // no link to MASTER
	lastStatus string
	cancel     func()
}

// watchdogBehaviour returns the watchdog of a CONTROL and of its embedded MASTER (nil: none).
func watchdogBehaviour(s *machine.Systemd, master *Master) world.Behaviour {
	return world.Behaviour{Name: "watchdog", Actor: func(w *world.World, addresses world.Addresses) actor.Actor {
		targets := []*actor.PID{addresses.MasterLink, addresses.Clusters, addresses.Gate, addresses.Sessions, addresses.Events}
		if master != nil {
			targets = append(targets, master.root)
		}
		return newWatchdog(w, s, addresses.Events, targets...)
	}}
}

func newWatchdog(w *world.World, s *machine.Systemd, events *actor.PID, targets ...*actor.PID) *watchdog {
	p := &watchdog{w: w, notify: s.Notify, interval: statusEvery, targets: targets, events: events, waiting: map[string]bool{}, clusters: map[messages.ClusterID]messages.ClusterMoved{}}
	if s.Watchdog > 0 {
		p.interval = s.Watchdog / 3
	}
	return p
}

// watchdogDue makes the watchdog ask its targets.
type watchdogDue struct{}

// IgnoreDeadLetterLogging keeps a timer that outlived its actor out of the log.
func (watchdogDue) IgnoreDeadLetterLogging() {}

// Receive is the only state of a watchdog.
func (p *watchdog) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		if p.events != nil {
			ctx.Request(p.events, messages.Subscribe{})
		}
		p.ask(ctx)
	case watchdogDue, world.Recovered:
		p.ask(ctx)
	case *actor.Touched:
		delete(p.waiting, m.GetWho().GetId())
		if len(p.waiting) == 0 {
			p.notify("WATCHDOG=1")
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

// ask schedules the next round and, unless answers are missing, sends every target a question. A
// target that hangs still has the last one in its mailbox.
func (p *watchdog) ask(ctx actor.Context) {
	if p.cancel != nil {
		p.cancel()
	}
	send := world.Sender(ctx)
	p.cancel = p.w.After(p.interval, func() { send(watchdogDue{}) })
	if status := p.status(); p.events != nil && status != p.lastStatus {
		p.notify("STATUS=" + status)
		p.lastStatus = status
	}
	if len(p.waiting) > 0 {
		return
	}
	for _, pid := range p.targets {
		p.waiting[pid.Id] = true
		ctx.Request(pid, &actor.Touch{})
	}
}

// status returns one line about all clusters.
func (p *watchdog) status() string {
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
		b.WriteString("; no link to MASTER")
	}
	return b.String()
}
