// Package plan holds decisions as pure functions and small values. They take everything known and
// return what to do. No clock, no I/O, no actor.
//
// Shards and machines
//
//	cut.go          a range → clusters
//	place.go        ranges that no machine serves → a share for each machine
//	slots.go        which slots a machine may use while MASTER is away
//	turn.go         CONTROLs that pace themselves, one after the other
//	epoch.go        which MASTER's orders count
//	forecast.go     what a start of a whole bot would take
//
// Identifies
//
//	pace.go         which shard may identify, when: the Pacer; with pace_arrival.go,
//	                pace_reported.go, repace.go, queue.go
//	transit.go      how long messages were under way, and what that shows of the other clock
//	budget.go       what is left of the day's identifies
//	loan.go         what of it a machine may spend without MASTER
//	unaccounted.go  what of it was not granted
//	gatewaybot.go   Discord's answer about shards and limits
//	reserve.go      buckets reserved for bots that cannot ask
//	storm.go        clusters that identify too often
//
// Processes
//
//	env.go          one run of a cluster process: its ids, its socket, its environment
//	restart.go      the three-restart rule
//	guard.go        an outage of Discord, a stuck shard
//	fatal.go        close codes that no restart repairs
//	lag.go          whether a bot acknowledges its events too late
//	late.go         more time while the machine is starved
//	search.go       the pauses between searches for a process
//	stall.go        stalls of CONTROL itself
//	offer.go        which sessions a new process may resume
//
// Links, messages, people
//
//	redial.go       when to dial MASTER again
//	limiter.go      limits of what one of several may use of what all share
//	rate.go         how often something happens
//	answer.go       how long the answer to a request may take
//	unwritten.go    files of the state folder that cannot be written
//	rest.go         warnings to clusters about Discord's REST API
//	order.go        whether an operator's order makes sense now
//	redact.go       texts without secrets
//	eventlog.go     the event log
//	alert.go        which events leave CONTROL, and as what; webhook.go for one of Discord's
package plan
