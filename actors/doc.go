// Package actors is CONTROL: the actors that run one machine's clusters. MasterLink is the root and spawns the rest from one table, household.go, which is the
// architecture. Decisions are pure functions in plan, effects go through world.World, what is said between actors is in messages.
//
//	masterlink           the link to MASTER, its orders, and the house          masterlink.go, orders.go, household.go
//	├─ herald            events → log, subscribers, MASTER                      herald.go
//	├─ gate              who may identify, when                                 gate.go
//	├─ clusters          ranges → clusters; supervision is the restart rule     clusters.go, clusters_ranges.go
//	│   └─ 0, 1, …       one OS process and its IPC connection each             cluster.go, cluster_ipc.go
//	└─ <behaviours>      what the operator's own main added                     options.go
//
// Rules that hold the tree together:
//   - Receive never blocks. News from a timer or another goroutine names the life, link or timeout it speaks for; what is stale is dropped.
//   - Addresses are names (House) and stay good whatever restarts; only a parent holds its children's PIDs, and only a parent stops them.
//   - A state is a method; States.Enter is the one door between two.
//   - A Cluster escalates a Failure only when its process is known dead. A stop that nobody ordered lets go of the process and leaves it running.
//
// To add an actor: its messages go into messages; its file here holds a picture, a struct, a constructor of props and one method a state; its decisions go into
// plan with a table test; it gets a row in household.go with its supervision and the reason for it, a story in test/scenarios, and, if it holds something precious,
// an invariant there. No other file changes; where one must, the seam is wrong. What an operator adds is a Behaviour and changes no file at all.
package actors
