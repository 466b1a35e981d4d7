// Package master is MASTER: it divides the shards of one bot over its CONTROLs and paces their
// identifies.
//
//	fleet           carries out what package fleet decides              fleet.go, discord.go, options.go
//	│
//	├─ sessions     the last session of every shard, for its next owner  sessions.go,
//	│                                                                    snapshots.go
//	├─ governor     one permit a bucket per 5 s for the whole fleet      governor.go, questions.go,
//	│                                                                    budget.go, loans.go,
//	│                                                                    unaccounted.go
//	└─ machine-<n>  one link: liveness, what the CONTROL reports         machine.go
//
// It keeps nothing that its CONTROLs cannot report again.
package master
