// Package master is MASTER: it divides the shards of one bot over its CONTROLs and orders who may identify.
//
//	fleet           asks Discord, admits CONTROLs, places ranges          fleet.go, seat.go, discord.go, admission.go, place.go, failover.go, slots.go, turns.go, outdated.go,
//	│                                                                     halt.go, desk.go, commands.go, view.go, options.go
//	├─ sessions     the last session of every shard, for who serves next  sessions.go
//	├─ governor     one permit a bucket per 5 s for the whole fleet       governor.go
//	└─ machine-<n>  one link: liveness, what the CONTROL says of itself   machine.go
//
// It keeps nothing that its CONTROLs cannot tell it again: what they say they serve is the truth, and orders follow from it.
package master
