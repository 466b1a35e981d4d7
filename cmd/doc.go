// Package cmd is the command line: one file a command, with its flags, its help and what it prints.
// Nothing else here knows cobra.
//
// Commands that run something, with the package that does it:
//
//	run.go, master.go                   CONTROL, with a MASTER in it unless it has a url (cmd/daemon)
//	gateway.go                          a gateway host and its bot (cmd/gateway)
//	demo.go                             all of it, with a simulated Discord (cmd/demo)
//	rehearse.go                         all of it in simulated time, with faults (test/sim/rehearsal)
//	bot.go, bot_reference.go            the reference cluster process
//	discord.go                          the simulated Discord
//
// Commands that ask or order:
//
//	client.go                           the connection to a running CONTROL or MASTER
//	status.go, clusters.go, whereis.go, events.go, budget.go
//	ask.go                              a request to handlers of clusters
//	orders.go, fleet_orders.go          orders to CONTROL and to MASTER
//	upgrade.go                          the upgrade of a running CONTROL (cmd/daemon)
//	logs.go                             the bots' output (cmd/logbook)
//	config.go, plan.go, doctor.go, doctor_checks.go, version.go
//
// The packages: cmd/logbook has the log and the bots' output, cmd/machine the World of this
// machine, cmd/daemon starts CONTROL and MASTER in it, and cmd/demo several of both. Arrows run in
// this order. cmd/gateway is not in it: it is a bot's process.
//
// Shared by all commands:
//
//	main.go                             the root command, exit codes, signals
//
// A main with more behaviours is five lines: see With.
package cmd
