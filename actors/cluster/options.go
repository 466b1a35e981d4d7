package cluster

import (
	"time"

	"github.com/discluster/control/messages"
)

// Options sets how this machine runs a cluster process.
type Options struct {
	Command          []string
	Runner           []string // path and arguments of the program that runs Command as its child; nil: none
	Dir              string
	BaseEnv          []string // CONTROL's own environment
	ExtraEnv         []string // the operator's; overrides BaseEnv
	ShardsPerCluster int      // 0: MASTER's
	Sockets          string   // prefix of a socket's path; the process's snowflake follows
	Logs             string   // folder of the output files; "": bots inherit CONTROL's output
	Folders          []string // CONTROL's own; created before every start if missing
	Owner            string   // identifies this installation of CONTROL in the environment of its bots

	Protocol messages.Protocol
	Ready    messages.ReadyRule // with ProtocolEnv
	// with ProtocolEnv: a URL that a working bot answers with 2xx; ClusterID.In puts the cluster's id
	// in; "": none
	Probe string

	HelloTimeout time.Duration // from the start of the process to its valid answer to HELLO
	ReadyTimeout time.Duration // of one shard, from its used permit to READY
	Heartbeat    time.Duration // interval on the IPC
	StopGrace    time.Duration // for a drain
	KillGrace    time.Duration // from SIGTERM to SIGKILL
	TokenByHello bool
	OnLost       string // messages.OnLostAutonomous or OnLostExit
	LostAfter    time.Duration
}
