// Package rehearsal tells what would happen: it runs the operator's whole fleet, MASTER and Discord included, in simulated time with faults that he chose, and reports.
//
//	scenario.go  what is rehearsed, as its file says it
//	decode.go    the file, read strictly
//	validate.go  the rules of its values
//	faults.go    every fault there is, in one table
//	fleet.go     Discord, MASTER and the machines, put together
//	run.go       one run
//	downtime.go  which shard was down, and for how long
//	timeline.go  what happened, in few lines
//	report.go    what a run comes to, and what was expected of it
//	print.go     the report, for people
package rehearsal

import "time"

// Scenario is one rehearsal. In its file the names are those of the tags; times have a unit, as in 90s or 5m.
type Scenario struct {
	// Name is what it is called. Default: none, the name of the file.
	Name string `yaml:"name"`
	// Seed draws everything that is left to chance: latencies, the order of what happens at once, who is hit. Default: 1.
	Seed int `yaml:"seed"`
	// Fleet is what is run.
	Fleet Fleet `yaml:"fleet"`
	// Bot is how its bots behave.
	Bot Bot `yaml:"bot"`
	// Faults is what goes wrong, and what an operator orders. Default: nothing.
	Faults []Fault `yaml:"faults"`
	// Until is how long is simulated, at most seven days.
	Until time.Duration `yaml:"until"`
	// Expect is what has to come out.
	Expect Expect `yaml:"expect"`
}

// Fleet is the machines and what Discord says of the bot.
type Fleet struct {
	// Machines is how many there are, the spares among them; they are called m1, m2, … and all start together. Default: 1.
	Machines int `yaml:"machines"`
	// Spares is how many of them a cold start leaves without shards, to take over from one that dies. Default: what the configuration says.
	Spares *int `yaml:"spares"`
	// Shards of the whole bot.
	Shards int `yaml:"shards"`
	// MaxConcurrency is how many shards may identify per 5 s. Default: 1.
	MaxConcurrency int `yaml:"max_concurrency"`
	// ShardsPerCluster is how many shards a process carries. Default: what the configuration says.
	ShardsPerCluster int `yaml:"shards_per_cluster"`
	// SessionStartLimit is the day's budget of identifies.
	SessionStartLimit SessionStartLimit `yaml:"session_start_limit"`
	// Latency is the most that a frame between two machines, or to Discord, is late; each is late by 0 to this. Default: 80ms.
	Latency time.Duration `yaml:"latency"`
}

// SessionStartLimit is what GET /gateway/bot says of the budget.
type SessionStartLimit struct {
	// Total of a day. Default: five for each shard, at least 1,000, about what Discord gives a bot of that size.
	Total int `yaml:"total"`
	// Remaining of today's at the start. Default: all of it.
	Remaining *int `yaml:"remaining"`
	// ResetAfter is when today ends. Default: 24h.
	ResetAfter time.Duration `yaml:"reset_after"`
}

// Bot is how a cluster process behaves, beside what is done to it. Of which kind it is, the configuration says: cluster.protocol.
type Bot struct {
	// Boot is how long it takes from its start to its open socket. Default: 2s.
	Boot time.Duration `yaml:"boot"`
	// Sessions says that it can resume sessions of the process before it; one of another protocol than sdk never can. Default: true.
	Sessions bool `yaml:"sessions"`
}

// Fault is one thing that goes wrong, or one order of an operator: exactly one of Kill, Freeze, Cut, Discord and Order.
type Fault struct {
	// At is when, from the start.
	At time.Duration `yaml:"at"`
	// Every does it again so often until the end. Default: once.
	Every time.Duration `yaml:"every"`
	// Kill is machine (its power is cut), cluster (kill -9 of one process), control or master (kill -9 of that).
	Kill string `yaml:"kill"`
	// Freeze is cluster, control or master: it does nothing for a while, as a process that hangs.
	Freeze string `yaml:"freeze"`
	// Cut is a machine and master, between which nothing gets through.
	Cut []string `yaml:"cut"`
	// Discord is outage (every connection ends, no new one, REST answers 503), reconnect (op 7), invalidate (op 9, the sessions are gone) or close (with Code).
	Discord string `yaml:"discord"`
	// Order is rolling_restart of a machine; or restart, drain or stop of a cluster.
	Order string `yaml:"order"`
	// Which machine, or which cluster: a number, or a machine for any of its clusters. Default: drawn from the seed; an order has none.
	Which string `yaml:"which"`
	// For is how long it lasts; a machine, CONTROL or MASTER that was killed is started again then. Default: to the end.
	For time.Duration `yaml:"for"`
	// Shard is the one that Discord means. Default: all.
	Shard *int `yaml:"shard"`
	// Code of discord: close. Default: 4000, after which a bot resumes.
	Code int `yaml:"code"`
}

// Expect is what has to come out; what is not said is not expected, but that Discord's identify limit holds always is.
type Expect struct {
	// ReadyWithin is when every shard must have been READY at once, from the start.
	ReadyWithin time.Duration `yaml:"ready_within"`
	// ReadyAtEnd says that every shard must be READY at the end.
	ReadyAtEnd bool `yaml:"ready_at_end"`
	// DowntimeMax is how long any shard may be down in all, from its first READY on.
	DowntimeMax *time.Duration `yaml:"downtime_max"`
	// ShardsDownMax is how many shards may ever be down, from their first READY on.
	ShardsDownMax *int `yaml:"shards_down_max"`
	// IdentifiesMax is how many identifies may be spent.
	IdentifiesMax *int `yaml:"identifies_max"`
	// DuplicatesMax is how often a shard may have two owners.
	DuplicatesMax *int `yaml:"duplicates_max"`
	// Events is how often each of the events named must be raised, exactly.
	Events map[string]int `yaml:"events"`
}

// defaults is a Scenario before anything was read.
func defaults() Scenario {
	return Scenario{Seed: 1, Fleet: Fleet{Machines: 1, MaxConcurrency: 1, Latency: 80 * time.Millisecond}, Bot: Bot{Boot: 2 * time.Second, Sessions: true}}
}
