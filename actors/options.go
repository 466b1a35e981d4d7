package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

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
	Cluster    ClusterOptions
	Identify   IdentifyOptions
	Router     RouterOptions
	Behaviours []Behaviour
}

// Master is where MASTER is, and who we are to it.
type Master struct {
	URL           string
	Authorization messages.Secret
	Source        string  // a stable name of this machine
	Weight        float64 // what it is to carry, against other machines; 0: by CPUs and memory
}

// ClusterOptions is how this machine runs a cluster process.
type ClusterOptions struct {
	Command          []string
	Dir              string
	BaseEnv          []string // our own environment
	ExtraEnv         []string // the operator's, which wins
	ShardsPerCluster int      // 0: not set here
	Sockets          string   // what a socket's path begins with; the process's snowflake follows
	Logs             string   // folder of the output files; "" lets the bots inherit our output
	Folders          []string // of our own, made again before every start where somebody removed them
	Owner            string   // names this installation of CONTROL on its machine, in the environment of its bots

	Protocol messages.Protocol
	Ready    ReadyRule // with ProtocolEnv
	Probe    string    // with ProtocolEnv: a URL that a living bot answers with 2xx, the cluster's id in it as ClusterID.In has it; "": none

	HelloTimeout time.Duration // from the start of the process to its right answer to HELLO
	ReadyTimeout time.Duration // of one shard, from its used permit to READY
	Heartbeat    time.Duration // of the IPC
	StopGrace    time.Duration // for a drain
	KillGrace    time.Duration // from SIGTERM to SIGKILL
	TokenByHello bool
	OnLost       string // messages.OnLostAutonomous or OnLostExit
	LostAfter    time.Duration
}

// IdentifyOptions is how identifies are paced.
type IdentifyOptions struct {
	TTL    time.Duration // how long a permit may be used
	Margin time.Duration // beyond Discord's 5 s
}

// Behaviour is an actor that the operator's own main adds: the extension point (DESIGN §3). It is spawned beside our own actors, with their World; it may send
// messages.Subscribe to House.Herald and then gets every messages.Event, and may send the public commands to House.Clusters.
type Behaviour struct {
	Name  string // of its actor, unique
	Actor func(w *world.World, h House) actor.Actor
	// Restart gives it a new actor after a panic; else it goes on with its next message.
	Restart bool
}

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
