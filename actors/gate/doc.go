// Package gate decides which shard of this machine may identify, and when: by MASTER's permits, or,
// while MASTER is away, by this machine's own pace and its share of the day's budget.
//
//	gate.go     the Gate: pacing and asking
//	asking.go   what it asks of MASTER
//	permits.go  which permits are out, and what of that is on disk
//	share.go    this machine's share of the budget
//	storm.go    clusters that identify too often
//	options.go  what an operator sets
package gate
