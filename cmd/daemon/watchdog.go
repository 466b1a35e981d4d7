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
	d := &watchdog{w: w, notify: s.Notify, interval: statusEvery, targets: targets, events: events, waiting: map[string]bool{}, clusters: map[messages.ClusterID]messages.ClusterMoved{}}
	if s.Watchdog > 0 {
		d.interval = s.Watchdog / 3
	}
	return d
}

// watchdogDue makes the watchdog ask its targets.
type watchdogDue struct{ messages.MayBeLost }

// Receive is the only state of a watchdog.
func (d *watchdog) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		if d.events != nil {
			ctx.Request(d.events, messages.Subscribe{})
		}
		d.ask(ctx)
	case watchdogDue, world.Recovered:
		d.ask(ctx)
	case *actor.Touched:
		delete(d.waiting, m.GetWho().GetId())
		if len(d.waiting) == 0 {
			d.notify("WATCHDOG=1")
		}
	case messages.ClusterMoved:
		d.clusters[m.Cluster] = m
		if m.State == messages.ClusterStopped || m.State == messages.ClusterGone {
			delete(d.clusters, m.Cluster)
		}
	case messages.MasterLinked:
		d.unlinked = false
	case messages.MasterLost, messages.MasterUnreachable:
		d.unlinked = true
	case *actor.Stopping:
		d.cancel()
	}
}

// ask schedules the next round and, unless answers are missing, sends every target a question. A
// target that hangs still has the last one in its mailbox.
func (d *watchdog) ask(ctx actor.Context) {
	if d.cancel != nil {
		d.cancel()
	}
	send := world.Sender(ctx)
	d.cancel = d.w.After(d.interval, func() { send(watchdogDue{}) })
	if status := d.status(); d.events != nil && status != d.lastStatus {
		d.notify("STATUS=" + status)
		d.lastStatus = status
	}
	if len(d.waiting) > 0 {
		return
	}
	for _, pid := range d.targets {
		d.waiting[pid.Id] = true
		ctx.Request(pid, &actor.Touch{})
	}
}

// status returns one line about all clusters.
func (d *watchdog) status() string {
	serving, ready, shards := 0, 0, 0
	for _, c := range d.clusters {
		if c.State == messages.ClusterServing {
			serving++
		}
		ready += c.Ready
		shards += c.Range.Len()
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%d of %d clusters serve, %d of %d shards are READY", serving, len(d.clusters), ready, shards)
	if d.unlinked {
		b.WriteString("; no link to MASTER")
	}
	return b.String()
}
