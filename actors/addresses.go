package actors

import (
	"github.com/asynkron/protoactor-go/actor"
)

// House is the addresses that everybody in one CONTROL may talk to. They are names, and stay good whatever restarts.
type House struct {
	MasterLink *actor.PID
	Clusters   *actor.PID
	Gate       *actor.PID
	Herald     *actor.PID
	Sessions   *actor.PID
	Router     *actor.PID
	Commander  *actor.PID
}

// houseOf gives the addresses below a root.
func houseOf(root *actor.PID) House {
	child := func(name string) *actor.PID { return actor.NewPID(root.Address, root.Id+"/"+name) }
	return House{MasterLink: root, Clusters: child("clusters"), Gate: child("gate"), Herald: child("herald"), Sessions: child("sessions"), Router: child("router"),
		Commander: child("commander")}
}
