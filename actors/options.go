package actors

import (
	"github.com/discluster/control/actors/cluster"
	"github.com/discluster/control/actors/gate"
	"github.com/discluster/control/actors/router"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Options holds the settings that CONTROL takes once, at its start.
type Options struct {
	Version  string
	Hostname string
	PID      int // of CONTROL: the worker field of its snowflakes
	CPUs     int
	Memory   int64 // bytes

	Master     Master
	Cluster    cluster.Options
	Identify   gate.Options
	Router     router.Options
	Behaviours []world.Behaviour
}

// Master holds the address of MASTER and what identifies this machine to it.
type Master struct {
	URL           string
	Authorization messages.Secret
	Source        string  // a stable name of this machine
	Weight        float64 // share of the shards relative to other machines; 0: by CPUs and memory
}
