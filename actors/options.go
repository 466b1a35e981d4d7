package actors

import (
	"github.com/discluster/control/actors/cluster"
	"github.com/discluster/control/actors/gate"
	"github.com/discluster/control/actors/router"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Options is what CONTROL is told once, at its start.
type Options struct {
	Version  string
	Hostname string
	PID      int // our own, the worker field of our snowflakes
	CPUs     int
	Memory   int64 // bytes

	Master     Master
	Cluster    cluster.Options
	Identify   gate.Options
	Router     router.Options
	Behaviours []world.Behaviour
}

// Master is where MASTER is, and who we are to it.
type Master struct {
	URL           string
	Authorization messages.Secret
	Source        string  // a stable name of this machine
	Weight        float64 // what it is to carry, against other machines; 0: by CPUs and memory
}
