package messages

// Cause is the reason why a cluster's run ended (DESIGN §4).
type Cause string

const (
	// the process ended by itself, or by a signal that CONTROL did not send
	CauseExited       Cause = "exited"
	CauseHelloTimeout Cause = "hello_timeout" // no socket, or no correct answer to HELLO in time
	CauseMute         Cause = "mute"          // two heartbeats missed
	CauseStartTimeout Cause = "start_timeout" // a shard was not READY in time after its identify
	CauseIPCLost      Cause = "ipc_lost"      // the socket closed and could not be opened again
	// the process could not be started, or the bot reported that it failed
	CauseStartFailed Cause = "start_failed"
	CauseShardsLost  Cause = "shards_lost" // shards stayed down
	CauseFatal       Cause = "fatal"       // a close code that no restart cures
	CauseInternal    Cause = "internal"    // a panic of ours
)

// AlertChannel is a way in which events reach an operator.
type AlertChannel string

const (
	AlertHook    AlertChannel = "hook"    // hooks.exec
	AlertWebhook AlertChannel = "webhook" // hooks.webhook
)

// ClusterState is the state of a cluster.
type ClusterState string

const (
	// looking for the process of an earlier run of CONTROL
	ClusterAdopting ClusterState = "adopting"
	// whether the process of an earlier run of CONTROL lives is unknown; nothing is started until
	// it is known
	ClusterUnknown  ClusterState = "unknown"
	ClusterAwaiting ClusterState = "awaiting" // to be started as soon as MASTER sends the token
	// waiting for the buckets of a bot that cannot ask for permits itself
	ClusterReserving  ClusterState = "reserving"
	ClusterSpawning   ClusterState = "spawning"
	ClusterGreeting   ClusterState = "greeting"
	ClusterConnecting ClusterState = "connecting"
	ClusterServing    ClusterState = "serving"
	ClusterDraining   ClusterState = "draining"
	ClusterKilling    ClusterState = "killing"
	ClusterWaiting    ClusterState = "waiting" // dead, to be restarted
	ClusterStopped    ClusterState = "stopped" // by order
	ClusterFailed     ClusterState = "failed"  // gave up, or fatal
	// its process serves, but CONTROL's own code fails on it
	ClusterDetached ClusterState = "detached"
	ClusterGone     ClusterState = "gone" // no longer of this machine
)
