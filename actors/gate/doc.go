// Package gate decides which shard of this machine may identify, and when. It asks MASTER for
// permits; while MASTER is away it grants them at this machine's own pace, within its share of the
// day's budget.
//
//	gate.go     the Gate and its states, pacing and asking
//	asking.go   permit requests to MASTER and its answers
//	permits.go  granted permits and gate.json
//	share.go    this machine's share of the budget
//	storm.go    clusters that identify too often
//	options.go  the operator's settings
package gate
