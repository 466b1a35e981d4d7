// Package cluster holds the actors that run a machine's clusters: the Supervisor, and below it one
// Cluster for each OS process and its IPC connection.
//
//	supervisor.go    the Supervisor: its clusters, what is told to each
//	ranges.go        ranges of shards → clusters
//	supervision.go   the restart rule as a supervision strategy; plan.Restart decides
//	rolling.go       a new process for each cluster, one after the other
//	leftovers.go     processes of earlier lives that no record names
//
//	cluster.go       the Cluster: one method a state
//	news.go          what a Cluster hears of its World, and what of it is stale
//	process.go       start, stop and death of the process
//	search.go        whether the process of an earlier life still runs
//	sweep.go         what a dead run left behind
//	record.go        what a cluster leaves on disk: the intent, the mark
//	conversation.go  HELLO, IDENTIFY and what else the bot sends
//	share.go, ops.go how much of the link a bot has; its connection at the Router
//	shards.go        states and permits of the shards
//	watch.go         deadlines: heartbeats, readiness, probes
//	reserve.go, env.go  bots that cannot ask for permits, or speak no IPC at all
//	patience.go      more time while this machine is starved
//	failure.go       why a cluster failed, for the Supervisor
//	survey.go        snapshots for status
//	options.go       what an operator sets
package cluster
