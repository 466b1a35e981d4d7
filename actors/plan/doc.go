// Package plan holds the decisions as pure functions: what goes in is everything known, what comes out is what to do. No clock, no I/O, no actor.
//
//	cut.go      a range → clusters; a fleet → one range a machine
//	pace.go     who may identify, when (Pacer), and the slots of a machine alone
//	restart.go  the three-restart rule
//	redial.go   when to dial MASTER again
package plan
