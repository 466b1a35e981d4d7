package messages

// GivenEnv names the variables of a bot's environment that are CONTROL's own (WIRE B4): no operator sets them, and none of CONTROL's own environment is passed on.
// SHARDING_MANAGER is given to nobody: it would switch discord.js to another channel.
var GivenEnv = []string{
	"DISCORD_TOKEN", "CLUSTER_ID", "CLUSTER_COUNT", "SHARD_IDS", "SHARDS", "SHARD_COUNT", "MAX_CONCURRENCY",
	"SHARDING_MANAGER_IPC", "SHARDING_INSTANCE_IPC", "SHARDING_INSTANCE", "DISCLUSTER_SOCKET", "SHARDING_MANAGER",
}
