// Package actors is CONTROL: the actors that run one machine's clusters. MasterLink is the root and spawns the rest from one table, household.go, which is the
// architecture. Decisions are pure functions in plan, effects go through world.World, what is said between actors is in messages.
//
//	masterlink           the link to MASTER, its orders, and the house          masterlink.go, masterlink_memory.go, settings.go, orders.go, lease.go, halt.go, household.go
//	├─ herald            events → log, subscribers, MASTER                      herald.go
//	├─ gate              who may identify, when                                 gate.go, gate_permits.go
//	├─ sessions          what a shard needs to resume, in memory and on disk    sessions.go, sessions_told.go
//	├─ router            what clusters say to each other                        router.go, router_asks.go, router_mailbox.go
//	├─ clusters          ranges → clusters; supervision is the restart rule     clusters.go, clusters_strategy.go, clusters_ranges.go, clusters_leftovers.go, clusters_rolling.go
//	│   └─ 0, 1, …       one OS process and its IPC connection each             cluster.go, cluster_news.go, cluster_life.go, cluster_ipc.go, cluster_shards.go, cluster_watch.go, cluster_ops.go, cluster_share.go, cluster_search.go, record.go, failure.go;
//	│                    bots that cannot ask for permits                       cluster_reserve.go, cluster_env.go
//	├─ commander         an operator's commands, passed down by MASTER          commander.go
//	├─ hooks, webhook    events → the operator's command, Discord's webhook     hooks.go, webhook.go
//	├─ desk              how things stand, for who looks from outside; orders   desk.go, desk_picture.go, survey.go
//	└─ <behaviours>      what the operator's own main added                     options.go
//
// Rules that hold the tree together:
//   - Receive never blocks: what takes time goes through World, and comes back as a message. No go statement, timer, file or socket here.
//   - News from a timer or another goroutine names the life, link or timeout it speaks for; what is stale is dropped.
//   - Addresses are names (House) and stay good whatever restarts; only a parent holds its children's PIDs, and only a parent stops them.
//   - A state is a method; States.Enter is the one door between two, and a timeout dies with its state.
//   - A message that a state does not know is an error in the log, never lost in silence.
//   - Decisions are made by pure functions in plan and carried out in one place here.
//   - A Cluster escalates a Failure only when its process is known dead; what follows is ClusterSupervisor's supervision, by plan.Restart.
//   - A stop that nobody ordered lets go of the process and leaves it running. A panic of ours never kills a bot.
//   - Supervision is written in the table of household.go, with its reason; nothing is left to protoactor's defaults.
//   - What a peer says can be wrong in any way, and costs at most its link; we panic on our own mistakes only.
//
// To add an actor:
//  1. the messages it shares go into messages, documented by who sends them to whom and when;
//  2. its file here, named by its noun, holds a picture, a struct, a constructor of props and one method a state;
//  3. its decisions go into plan, with a table test;
//  4. it gets a row in household.go, with its supervision and the reason for it;
//  5. it gets a story in test/scenarios and, if it holds something precious, an invariant in check_test.go there.
//
// No other file changes; where one must, the seam is wrong. What an operator adds is a Behaviour and changes no file at all: see the example of cmd.With.
package actors
