package cluster

import (
	"time"

	"github.com/discluster/control/messages"
)

// ClusterOptions is how this machine runs a cluster process.
type Options struct {
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
