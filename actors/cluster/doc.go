// Package cluster holds the actors that run a machine's clusters: the Supervisor, and below it one
// Cluster for each OS process and its IPC connection.
//
//	supervisor.go    the Supervisor: its clusters and their orders
//	ranges.go        ranges of shards → clusters
//	supervision.go   the restart rule as a supervision strategy; plan.Restart decides
//	rolling.go       a new process for each cluster, one after the other
//	leftovers.go     clusters of an earlier run that are not served here
//
//	cluster.go       the Cluster, one method a state
//	news.go          messages from the World; stale ones are dropped
//	process.go       start, stop and death of the process
//	search.go        whether the process of an earlier run still runs
//	sweep.go         processes that a dead run left
//	record.go        the record of a process on disk: the intent, the mark
//	conversation.go  HELLO, IDENTIFY and the other packets of the bot
//	limits.go        limits of a bot's use of what all clusters share
//	routing.go       its connection to the Router
//	shards.go        states and permits of the shards
//	watch.go         deadlines: heartbeats, readiness, probes
//	reserve.go, env.go  bots that cannot ask for permits, or do not speak IPC
//	child.go         what a gateway host reports of its bot
//	orphan.go        the end of a bot that outlived its gateway host
//	silent.go        a process that never opens its socket
//	lateness.go      more time while this machine is starved
//	failure.go       why a cluster failed, for the Supervisor
//	snapshot.go      snapshots for status
//	options.go       the operator's settings
package cluster
