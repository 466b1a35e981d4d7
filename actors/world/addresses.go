package world

import (
	"github.com/asynkron/protoactor-go/actor"
)

// Addresses names the actors that every actor of one CONTROL may send to. They are names, and stay
// valid whatever restarts.
type Addresses struct {
	MasterLink *actor.PID
	Clusters   *actor.PID
	Gate       *actor.PID
	Events     *actor.PID
	Sessions   *actor.PID
	Router     *actor.PID
	Commander  *actor.PID
}

// AddressesOf returns the addresses below a root.
func AddressesOf(root *actor.PID) Addresses {
	child := func(name string) *actor.PID { return actor.NewPID(root.Address, root.Id+"/"+name) }
	return Addresses{MasterLink: root, Clusters: child("clusters"), Gate: child("gate"), Events: child("events"), Sessions: child("sessions"), Router: child("router"),
		Commander: child("commander")}
}
