package daemon

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/cluster"
	"github.com/discluster/control/actors/gate"
	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/router"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd/machine"
	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
)

// botFolders returns CONTROL's folders in which a bot's files are created.
func botFolders(c *config.Config, protocol messages.Protocol, logs string) (dirs []string) {
	if protocol == messages.ProtocolSDK {
		dirs = append(dirs, c.Sockets.Dir)
	}
	if logs != "" {
		dirs = append(dirs, logs)
	}
	return dirs
}

// ControlOptions returns the actors' options of a configuration. The bots' output goes to the
// folder logs; "": to CONTROL's own.
func ControlOptions(c *config.Config, logs string, behaviours []world.Behaviour) actors.Options {
	hostname, err := os.Hostname()
	if err != nil {
		hostname = c.Machine.Source
	}
	var env []string
	// sorted, because a bot is adopted only if its environment is the same
	for _, name := range slices.Sorted(maps.Keys(c.Cluster.Env)) {
		env = append(env, name+"="+c.Cluster.Env[name])
	}
	ready, _ := c.Cluster.ReadyRule() // validated with the configuration
	protocol, runner := botRunner(c)
	return actors.Options{
		Version: Version(), Hostname: hostname, PID: os.Getpid(), CPUs: runtime.NumCPU(), Memory: machine.Memory(),
		Master: actors.Master{URL: c.Master.URL, Authorization: c.Master.Authorization, Source: c.Machine.Source, Weight: float64(c.Machine.Weight)},
		Cluster: cluster.Options{
			Command: c.Cluster.Command, Runner: runner, Dir: c.Cluster.Dir, BaseEnv: machine.ChildEnv(), ExtraEnv: env,
			ShardsPerCluster: c.Cluster.ShardsPerCluster, Sockets: cmp.Or(c.Cluster.SocketPrefix, c.Sockets.Dir+"/"), Logs: logs, Owner: ownerName(c),
			Folders:  botFolders(c, protocol, logs),
			Protocol: protocol, Ready: ready, Probe: c.Cluster.Probe,
			HelloTimeout: c.Cluster.HelloTimeout, ReadyTimeout: c.Cluster.ReadyTimeout, Heartbeat: c.Cluster.HeartbeatInterval,
			StopGrace: c.Cluster.StopGrace, KillGrace: c.Cluster.KillGrace,
			TokenByHello: c.Cluster.Token == config.TokenByHello, OnLost: c.Cluster.OnLost, LostAfter: c.Cluster.LostAfter,
		},
		Identify:   gate.Options{TTL: c.Identify.PermitTTL, Margin: c.Identify.Margin},
		Router:     router.Options{Eval: c.IPC.Eval, Linkless: protocol == messages.ProtocolEnv},
		Behaviours: behaviours,
	}
}

// botRunner returns how the actors talk to the bot, and the program that runs it: behind a gateway
// host, which is a cluster process of protocol sdk.
func botRunner(c *config.Config) (protocol messages.Protocol, runner []string) {
	if c.Bot.Protocol != config.ProtocolGateway {
		return messages.Protocol(c.Bot.Protocol), nil
	}
	self, err := ownPath()
	if err != nil {
		self = "/proc/self/exe"
	}
	return messages.ProtocolSDK, []string{self, "gateway", "--dir", gatewayFolder(c), "--api", c.Discord.API, "--hello-timeout", c.Cluster.HelloTimeout.String(),
		"--memory", strconv.FormatInt(int64(c.Cluster.Gateway.Memory), 10), "--guest", c.Bot.Guest, "--"}
}

// gatewayFolder returns the folder of the gateway hosts.
func gatewayFolder(c *config.Config) string { return filepath.Join(c.State.Dir, "gateway") }

// ownerName returns the name of an installation of CONTROL: its source and its state folder. The
// folder is not enough: containers with equal paths may see each other's processes.
func ownerName(c *config.Config) string {
	dir, err := filepath.Abs(c.State.Dir)
	if target, failed := filepath.EvalSymlinks(dir); err == nil && failed == nil {
		dir = target
	}
	return c.Machine.Source + ":" + dir
}

// MasterOptions returns the options of MASTER's actors of a configuration.
func MasterOptions(c *config.Config) master.Options {
	o := master.Options{
		Listen: c.Fleet.Listen, Authorization: c.Master.Authorization, Token: c.Discord.Token, API: c.Discord.API,
		Options: fleet.Options{
			Shards: c.Fleet.Shards, MaxConcurrency: c.Fleet.MaxConcurrency, ShardsPerCluster: c.Cluster.ShardsPerCluster,
			Expect: c.Fleet.Expect, Wait: c.Fleet.Wait, Grace: c.Fleet.Grace, Spares: c.Fleet.Spares, Heartbeat: c.Fleet.HeartbeatInterval,
			TTL: c.Identify.PermitTTL, Margin: c.Identify.Margin,
		},
	}
	if c.Fleet.OnMasterLoss == config.OnMasterLossFence {
		o.Lease = c.Fleet.Lease
	}
	return o
}
