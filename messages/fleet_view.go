package messages

import "time"

// GetFleetView (anybody → MASTER's root) asks for the FleetView. Answer is called once, and must not block.
type GetFleetView struct{ Answer func(FleetView) }

// IgnoreDeadLetterLogging marks what may come after MASTER has ended.
func (GetFleetView) IgnoreDeadLetterLogging() {}

// FleetView is how the whole fleet stands, as MASTER knows it.
type FleetView struct {
	At               time.Time       `json:"at"`
	State            string          `json:"state"` // "asking" Discord, "gathering" machines, "serving"
	Started          time.Time       `json:"started"`
	Epoch            int64           `json:"epoch"`
	ShardCount       int             `json:"shard_count"` // 0: not known
	MaxConcurrency   int             `json:"max_concurrency"`
	ShardsPerCluster int             `json:"shards_per_cluster"`
	ShardsReady      int             `json:"shards_ready"` // on the machines that are linked
	Halted           bool            `json:"halted"`
	Budget           *IdentifyBudget `json:"identify_budget,omitempty"` // absent: not known
	Machines         []FleetMachine  `json:"machines"`                  // by their sources
}

// IdentifyBudget is what is left of the day's identifies (Discord docs, Gateway: Session Start Limit), by MASTER's count since Discord said it last.
type IdentifyBudget struct {
	Total     int       `json:"total"`
	Remaining int       `json:"remaining"`
	Reserve   int       `json:"reserve"`  // of what remains: kept for a start, and no crash's
	ResetAt   time.Time `json:"reset_at"` // when it is whole again
}

// Low reports whether nothing but the reserve is left.
func (b IdentifyBudget) Low() bool { return b.Remaining <= b.Reserve }

// MachineState is whether MASTER reaches a machine.
type MachineState string

const (
	MachineIsLinked MachineState = "linked"
	MachineIsAway   MachineState = "away" // its link is lost; what it serves stays its own for the grace
	MachineIsLost   MachineState = "lost" // it did not return in time: it has nothing, and its figures are not known
)

// FleetMachine is one machine as MASTER knows it.
type FleetMachine struct {
	Source      string        `json:"source"`
	Host        string        `json:"host"`
	State       MachineState  `json:"state"`
	AwaySince   *time.Time    `json:"away_since,omitempty"` // when its link was lost
	Linked      bool          `json:"linked"`
	Spare       bool          `json:"spare"`
	Drained     bool          `json:"drained"` // by order: it is given nothing
	Granted     []ShardRange  `json:"granted"` // what it is to serve
	Ranges      []RangeInfo   `json:"ranges"`  // what it serves, as it said last
	Clusters    ClusterCounts `json:"clusters"`
	ShardsReady int           `json:"shards_ready"`
}

// Ready reports whether every shard of the bot is READY, and why not.
func (v FleetView) Ready() (ready bool, why string) {
	switch {
	case v.Halted:
		return false, "halted: Discord refuses the token or its intents"
	case v.ShardCount == 0:
		return false, "Discord has not said how many shards there are"
	case v.ShardsReady < v.ShardCount:
		return false, "not every shard is READY"
	}
	return true, ""
}

// OwnerOf is the machine that is to serve a shard; nil: none is.
func (v FleetView) OwnerOf(shard int) *FleetMachine {
	for i := range v.Machines {
		for _, r := range v.Machines[i].Granted {
			if r.Contains(shard) {
				return &v.Machines[i]
			}
		}
	}
	return nil
}
