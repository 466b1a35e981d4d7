// Package plan holds the decisions as pure functions: what goes in is everything known, what comes out is what to do. No clock, no I/O, no actor.
//
//	cut.go      a range → clusters
//	place.go    what nobody serves → a share for each machine
//	pace.go     who may identify, when (Pacer), and the slots of a machine alone
//	restart.go  the three-restart rule
//	guard.go    an outage of Discord, a storm of identifies, a stuck shard
//	offer.go    which sessions a new process may resume
//	rate.go     how often something happens
//	redial.go   when to dial MASTER again
//	alert.go    which events the outside is told of, and as what
//	webhook.go  the same for a webhook of Discord's, and its limits
package plan
