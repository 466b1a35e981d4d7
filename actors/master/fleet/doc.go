// Package fleet holds MASTER's rules: which CONTROLs it admits, which of them serves which shards,
// and what happens when a machine is lost.
//
// A Fleet is a value without actors, clocks or sockets. Step takes an event and the time, and
// returns the effects; package master carries them out.
//
//	event.go      events              effect.go     effects
//	fleet.go      states, greetings   admission.go  links, first reports, sharding
//	discord.go    shards and budget   machine.go    what is known of a machine
//	place.go      ranges of machines  slots.go      slots for identifies without MASTER
//	failover.go   machines that are away
//	turns.go      CONTROLs that pace themselves
//	halt.go       a token that Discord refuses
//	orders.go     operators' orders   commands.go   how each is carried out
//	view.go       what the API shows
//
// It keeps nothing that its CONTROLs cannot report again: what they serve is the truth, and orders
// follow from it.
package fleet
