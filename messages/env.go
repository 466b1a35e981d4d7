package messages

import "syscall"

// SocketMax is the maximum path of a unix socket in bytes: 107 on Linux, 103 on darwin. The
// kernel's field ends with a zero byte.
const SocketMax = len(syscall.RawSockaddrUnix{}.Path) - 1

// ReservedEnv names the variables of a bot's environment that are CONTROL's own (PROTOCOL B4): no
// operator sets them, and none of CONTROL's own environment is passed on. Some only a gateway host
// sets, for its bot: SHARDING_MANAGER… and CLUSTER_MANAGER… make a bot the process of another
// manager. NODE_… of CONTROL's own environment name a channel between CONTROL and a node that
// started it, by a file descriptor that the bot does not have: a bot on node would crash.
var ReservedEnv = []string{
	"DISCORD_TOKEN", "CLUSTER_ID", "CLUSTER_COUNT", "SHARD_IDS", "SHARDS", "SHARD_COUNT", "MAX_CONCURRENCY",
	"SHARDING_MANAGER_IPC", "SHARDING_INSTANCE_IPC", "SHARDING_INSTANCE", "DISCLUSTER_SOCKET", "DISCLUSTER_OWNER",
	"SHARDING_MANAGER", "SHARDING_MANAGER_MODE", "CLUSTER_MANAGER", "CLUSTER_MANAGER_MODE", "CLUSTER_QUEUE_MODE",
	"NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID",
}
