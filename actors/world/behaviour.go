package world

import (
	"github.com/asynkron/protoactor-go/actor"
)

// Behaviour is an actor that the operator's own main adds: the extension point (DESIGN §3). It is
// spawned beside CONTROL's own actors, with their World. It may send messages.Subscribe to
// Addresses.Events and then gets every messages.Event, and may send the public commands to
// Addresses.Clusters.
type Behaviour struct {
	Name  string // of its actor, unique
	Actor func(w *World, h Addresses) actor.Actor
	// Restart gives it a new actor after a panic; else it goes on with its next message.
	Restart bool
}
