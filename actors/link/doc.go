// Package link holds the rules of CONTROL's link to MASTER: when it dials, which MASTER it obeys,
// what an order means beside those under way, how long a lease lasts, what is remembered for the
// next life.
//
// A Link is a value without actors, sockets or files. Step takes an event and the time, and returns
// the effects; actors.MasterLink carries them out.
//
//	link.go      states, dialing, heartbeats   event.go   what happens, what follows
//	packets.go   what MASTER sends, and hears  orders.go  connect, offload, shutdown
//	settings.go  what the fleet is             commands.go  operators' commands
//	clock.go     MASTER's clock                lease.go   how long this machine may serve
//	memory.go    link.json                     halt.go    a token that Discord refuses
//	stop.go      CONTROL's end, and panics
package link
