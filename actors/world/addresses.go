package world

import (
	"github.com/asynkron/protoactor-go/actor"
)

// House is the addresses that everybody in one CONTROL may talk to. They are names, and stay good whatever restarts.
type Addresses struct {
	MasterLink *actor.PID
	Clusters   *actor.PID
	Gate       *actor.PID
	Events     *actor.PID
	Sessions   *actor.PID
	Router     *actor.PID
	Commander  *actor.PID
}

// houseOf gives the addresses below a root.
func AddressesOf(root *actor.PID) Addresses {
	child := func(name string) *actor.PID { return actor.NewPID(root.Address, root.Id+"/"+name) }
	return Addresses{MasterLink: root, Clusters: child("clusters"), Gate: child("gate"), Events: child("events"), Sessions: child("sessions"), Router: child("router"),
		Commander: child("commander")}
}
