// Package rehearsal runs the operator's whole fleet, MASTER and Discord included, in simulated time
// with faults of the operator's choice, and reports what would happen.
//
//	scenario.go  the fields of a scenario's file
//	decode.go    the file, read strictly
//	validate.go  the rules of its values
//	faults.go    every fault, in one table
//	fleet.go     Discord, MASTER and the machines
//	run.go       one run
//	downtime.go  which shards were down, and for how long
//	timeline.go  the events, in few lines
//	report.go    the result of a run, and its expectations
//	print.go     the report as text
package rehearsal

import "time"

// Scenario is one rehearsal. Its file has the names of the tags; times have a unit, as in 90s or
// 5m.
type Scenario struct {
	// Name of the scenario. Default: the name of the file.
	Name string `yaml:"name"`
	// Seed draws everything random: latencies, the order of simultaneous events, the objects of
	// faults. Default: 1.
	Seed int `yaml:"seed"`
	// Fleet describes the machines and the bot.
	Fleet Fleet `yaml:"fleet"`
	// Bot describes the bot's processes.
	Bot Bot `yaml:"bot"`
	// Faults and operator's orders of the run. Default: none.
	Faults []Fault `yaml:"faults"`
	// Until is the simulated time, at most seven days.
	Until time.Duration `yaml:"until"`
	// Expect holds the expectations.
	Expect Expect `yaml:"expect"`
}

// Fleet describes the machines, and Discord's answers about the bot.
type Fleet struct {
	// Machines is the number of machines, spares included. They are called m1, m2, … and start
	// together. Default: 1.
	Machines int `yaml:"machines"`
	// Spares is the number of them that serve nothing after a cold start, to take over from one that
	// dies. Default: the configuration's.
	Spares *int `yaml:"spares"`
	// Shards of the whole bot.
	Shards int `yaml:"shards"`
	// MaxConcurrency is the number of shards that may identify per 5 s. Default: 1.
	MaxConcurrency int `yaml:"max_concurrency"`
	// ShardsPerCluster is the number of shards of a process. Default: the configuration's.
	ShardsPerCluster int `yaml:"shards_per_cluster"`
	// SessionStartLimit is the day's budget of identifies.
	SessionStartLimit SessionStartLimit `yaml:"session_start_limit"`
	// Latency is the longest delay of a frame between two machines, or to Discord; it is random
	// from 0. Default: 80ms.
	Latency time.Duration `yaml:"latency"`
}

// SessionStartLimit is the budget in the answer to GET /gateway/bot.
type SessionStartLimit struct {
	// Total of a day. Default: five for each shard, at least 1,000, about Discord's for a bot of
	// that size.
	Total int `yaml:"total"`
	// Remaining today at the start. Default: all.
	Remaining *int `yaml:"remaining"`
	// ResetAfter is the time until the budget is full again. Default: 24h.
	ResetAfter time.Duration `yaml:"reset_after"`
}

// Bot describes a cluster process. Its kind is the configuration's cluster.protocol.
type Bot struct {
	// Boot is the time from its start to its open socket. Default: 2s.
	Boot time.Duration `yaml:"boot"`
	// Sessions: it can resume the sessions of an earlier process. A bot of another protocol than
	// sdk never can. Default: true.
	Sessions bool `yaml:"sessions"`
}

// Fault is one fault, or one order of an operator: exactly one of Kill, Freeze, Cut, Discord and
// Order is set.
type Fault struct {
	// At is its time from the start.
	At time.Duration `yaml:"at"`
	// Every repeats it with this period until the end. Default: once.
	Every time.Duration `yaml:"every"`
	// Kill is machine (its power is cut), cluster (kill -9 of one process), control or master (kill
	// -9 of that).
	Kill string `yaml:"kill"`
	// Freeze is cluster, control or master: it does nothing for a while, as a process that hangs.
	Freeze string `yaml:"freeze"`
	// Cut is a machine and master, between which nothing gets through.
	Cut []string `yaml:"cut"`
	// Discord is outage (every connection ends, no new one, REST answers 503), reconnect (op 7),
	// invalidate (op 9, the sessions are gone) or close (with Code).
	Discord string `yaml:"discord"`
	// Order is rolling_restart of a machine; or restart, drain or stop of a cluster.
	Order string `yaml:"order"`
	// Which names the machine, or the cluster: its number, or a machine for any of its clusters.
	// Default: random; an order has none.
	Which string `yaml:"which"`
	// For is its duration, after which a killed machine, CONTROL or MASTER is started again.
	// Default: to the end.
	For time.Duration `yaml:"for"`
	// Shard that Discord's fault concerns. Default: all.
	Shard *int `yaml:"shard"`
	// Code of discord: close. Default: 4000, after which a bot resumes.
	Code int `yaml:"code"`
}

// Expect holds the expectations of a run. A field that is not set is not checked; Discord's
// identify limit always is.
type Expect struct {
	// ReadyWithin bounds the time from the start until every shard is READY at once.
	ReadyWithin time.Duration `yaml:"ready_within"`
	// ReadyAtEnd: every shard is READY at the end.
	ReadyAtEnd bool `yaml:"ready_at_end"`
	// DowntimeMax bounds the total downtime of any shard, after its first READY.
	DowntimeMax *time.Duration `yaml:"downtime_max"`
	// ShardsDownMax bounds the number of shards that are ever down, after their first READY.
	ShardsDownMax *int `yaml:"shards_down_max"`
	// IdentifiesMax bounds the identifies spent.
	IdentifiesMax *int `yaml:"identifies_max"`
	// DuplicatesMax bounds how often a shard has two owners.
	DuplicatesMax *int `yaml:"duplicates_max"`
	// Events is the exact number of times that each event named is raised.
	Events map[string]int `yaml:"events"`
}

// defaults returns an empty scenario with its defaults.
func defaults() Scenario {
	return Scenario{Seed: 1, Fleet: Fleet{Machines: 1, MaxConcurrency: 1, Latency: 80 * time.Millisecond}, Bot: Bot{Boot: 2 * time.Second, Sessions: true}}
}
