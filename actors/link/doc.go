// Package link holds the rules of CONTROL's link to MASTER: when to dial, which MASTER to obey,
// which orders wait for others, how long a lease lasts, and what is kept for the next run.
//
// A Link is a value without actors, sockets or files. Step takes an event and the time, and returns
// the effects; actors.MasterLink carries them out.
//
//	link.go      states, dialing, heartbeats   event.go     events and effects
//	packets.go   packets from and to MASTER    orders.go    connect, offload, shutdown
//	settings.go  the fleet's settings          commands.go  operators' commands
//	clock.go     MASTER's clock                lease.go     how long this machine may serve
//	memory.go    link.json                     halt.go      a token that Discord refuses
//	stop.go      CONTROL's end, and panics
package link
