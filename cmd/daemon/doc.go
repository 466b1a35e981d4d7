// Package daemon runs CONTROL and MASTER in the World of this machine, as their configuration asks.
//
//	daemon.go                           `control run`: signals, start, stop
//	control.go                          one CONTROL: its folders, its actors, its end
//	master.go, eventlog.go              `control master`, and one MASTER with its last events
//	options.go                          the actors' options of a configuration
//	admin.go                            the admin API of both
//	system.go                           the actor system
//	logkeeper.go                        the limits of the bots' output
//	watchdog.go                         systemd learns that the actors answer
//	reload.go                           SIGHUP
//	successor.go, upgrade.go            an upgrade: the daemon's half, and that of `control upgrade`
//	state.go                            daemon.json, by which the two halves find each other
//	version.go                          the version of this binary
//
// The story of a start: Run reads the configuration, Claim takes the folders, StartMaster embeds a
// MASTER unless master.url is set, StartControl spawns the actors. The story of an upgrade: Upgrade
// signals the daemon, successor.go has the installed program check its configuration, detaches from
// the bots and executes it; Run begins again in the same process, and writes state.go's file.
package daemon
