package world

import (
	"github.com/asynkron/protoactor-go/actor"
)

// Behaviour is an actor that the operator's own main adds: the extension point (DESIGN §3). It is
// spawned beside CONTROL's own actors, with their World. If it sends messages.Subscribe to
// Addresses.Events when it starts, it gets every messages.Event. It may send the public commands to
// Addresses.Clusters.
type Behaviour struct {
	Name  string // of its actor, unique
	Actor func(w *World, addresses Addresses) actor.Actor
	// Restart gives it a new actor after a panic; else it goes on with its next message.
	Restart bool
}
