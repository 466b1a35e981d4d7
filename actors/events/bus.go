package events

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Bus sends every event to the log, to the subscribers and, where it concerns MASTER, to MASTER. It
// removes secrets first: the texts of events quote bots and peers.
type Bus struct {
	w           *world.World
	addresses   world.Addresses
	subscribers []*actor.PID
	stalls      plan.Stalls
	unwritten   plan.Unwritten
}

// BusName is the name of the Bus's actor, a child of MasterLink. Code outside the actors may send
// it events.
const BusName = "events"

// NewBus returns the props of the Bus.
func NewBus(w *world.World, addresses world.Addresses) *actor.Props {
	return w.Spawn(BusName, func() actor.Actor { return &Bus{w: w, addresses: addresses} })
}

// Receive handles every message; there is one state.
func (h *Bus) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.Subscribe:
		// one that restarted has its PID, and its place, still
		if who := ctx.Sender(); who != nil && !slices.ContainsFunc(h.subscribers, who.Equal) {
			h.subscribers = append(h.subscribers, who)
			ctx.Watch(who)
		}
	case *actor.Terminated:
		for i, pid := range h.subscribers {
			if pid.Equal(m.Who) {
				h.subscribers = append(h.subscribers[:i:i], h.subscribers[i+1:]...)
				return
			}
		}
	case messages.Event:
		if stalled, is := m.(messages.ControlStalled); is && !h.stalls.New(stalled.LateMS.Duration(), time.Now()) {
			return // every actor reports the same stall: one event is enough
		}
		h.publish(ctx, m)
	case messages.StateSaved:
		if e, report := h.unwritten.Saved(m.File, m.Err, time.Now()); report {
			h.publish(ctx, e)
		}
	}
}

func (h *Bus) publish(ctx actor.Context, m messages.Event) {
	m = h.w.Secrets.Event(m) // before any receiver gets it
	h.w.LogEvent(m)
	for _, pid := range h.subscribers {
		ctx.Send(pid, m)
	}
	if packet := forMaster(m); packet != nil {
		ctx.Send(h.addresses.MasterLink, packet)
	}
}

// forMaster returns the packet for MASTER, or nil if the event does not concern MASTER.
func forMaster(e messages.Event) messages.FromControl {
	switch e := e.(type) {
	case messages.ClusterGaveUp:
		name, _ := e.Event()
		return messages.MasterError{Code: e.CloseCode, Message: "cluster gave up after " + e.Causes[len(e.Causes)-1], Kind: name, Cluster: &e.Cluster, Shards: &e.Range}
	case messages.ClusterHeld:
		if name, _ := e.Event(); e.On {
			return messages.MasterError{Message: "this machine cannot start clusters: " + e.Err, Kind: name, Cluster: &e.Cluster, Shards: &e.Range}
		}
		return nil
	case messages.ClusterFatal:
		return messages.Fatal{Code: e.CloseCode, Message: e.Err, Cluster: e.Cluster, Shards: e.Range, Reason: e.Err}
	default:
		return nil
	}
}
