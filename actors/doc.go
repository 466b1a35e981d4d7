// Package actors is CONTROL: the tree of actors that runs one machine's clusters. MasterLink is the
// root and spawns the others from one table (tree.go), which is the architecture. Decisions are
// pure functions and values in plan and link, effects go through world.World, and what actors send
// each other is in messages.
//
//	masterlink           the link to MASTER                          masterlink.go; its rules: package link
//	├─ events            events → log, subscribers, MASTER           package events
//	├─ gate              which shard may identify, and when          package gate
//	├─ sessions          what a shard needs to resume                package sessions
//	├─ router            what clusters and operators ask of clusters package router
//	├─ clusters          ranges → clusters; the restart rule         package cluster
//	│   └─ 0, 1, …       one OS process and its IPC connection each  package cluster
//	├─ commander         an operator's commands, by way of MASTER    commander.go
//	├─ hooks, webhook    events → the operator's command, Discord    package events
//	├─ status            views, orders and requests of the API       package status
//	└─ <behaviours>      what the operator's own main added          world/behaviour.go
//
// options.go holds the operator's settings. Stories, with the files that they pass in order; all
// that concerns MASTER passes masterlink.go and link/link.go on its way, in both directions:
//
//   - connect → process: link/packets.go, link/orders.go, cluster/ranges.go, cluster/supervisor.go,
//     cluster/cluster.go, cluster/search.go (an earlier run's process), cluster/process.go,
//     cluster/record.go, cluster/conversation.go
//   - permit → grant: cluster/conversation.go, cluster/shards.go, cluster/limits.go, gate/gate.go,
//     gate/asking.go, link/packets.go, master/machine.go, master/governor.go, plan/pace.go; back by
//     link/packets.go, gate/asking.go, gate/permits.go, cluster/shards.go
//   - exit → restart: cluster/news.go, cluster/cluster.go, cluster/sweep.go, cluster/process.go,
//     cluster/failure.go, cluster/supervision.go, plan/restart.go, cluster/supervisor.go
//   - shard state → page: cluster/conversation.go, cluster/shards.go, cluster/limits.go,
//     events/bus.go, status/status.go, status/snapshot.go; read by transport/admin
//   - request → answers: router/readlink.go, router/router.go, router/requests.go; an operator's
//     begins in transport/admin and comes by status/status.go and router/operator.go
//
// Rules that hold the tree together:
//   - Receive never blocks: what takes time goes through World and comes back as a message. There
//     is no go statement, timer, file or socket here.
//   - A message from a timer or another goroutine names its run, link or timeout. Stale ones are
//     dropped.
//   - Addresses are names (world.Addresses) and survive restarts. Only a parent holds its
//     children's PIDs, and only a parent stops them.
//   - A state is a method. Only States.Enter changes the state, and ends the timeout of the
//     previous one.
//   - A message that a state does not handle is an error in the log.
//   - Pure functions in plan decide; one place here carries a decision out.
//   - A Cluster escalates a Failure only when its process is known dead. The Supervisor then
//     decides, by plan.Restart.
//   - A stop that was not ordered leaves the process running. A panic of CONTROL never kills a bot.
//   - The table of tree.go sets the supervision of each actor, with the reason. Nothing is left to
//     protoactor's defaults.
//   - What a peer sends can be wrong in any way, and costs at most its link. CONTROL panics on its
//     own mistakes only.
//
// How to add an actor is in .github/CONTRIBUTING.md. What an operator adds is a Behaviour and
// changes no file: see the example of cmd.With.
package actors
