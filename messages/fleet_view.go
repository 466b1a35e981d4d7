package messages

import "time"

// GetFleetView (anybody → MASTER's root) asks for the FleetView. Answer is called once, and must
// not block.
type GetFleetView struct {
	MayBeLost
	Answer func(FleetView)
}

// FleetView is a snapshot of the whole fleet, as MASTER knows it.
type FleetView struct {
	At time.Time `json:"at"`
	// "asking" Discord, "gathering" machines, "serving"
	State            string          `json:"state"`
	Started          time.Time       `json:"started"`
	Epoch            int64           `json:"epoch"`
	ShardCount       int             `json:"shard_count"` // 0: unknown
	MaxConcurrency   int             `json:"max_concurrency"`
	ShardsPerCluster int             `json:"shards_per_cluster"`
	ShardsReady      int             `json:"shards_ready"` // on the machines that are linked
	Halted           bool            `json:"halted"`
	Budget           *IdentifyBudget `json:"identify_budget,omitempty"` // absent: unknown
	Machines         []FleetMachine  `json:"machines"`                  // by their sources
}

// IdentifyBudget is the rest of the day's identifies (Discord docs, Gateway: Session Start Limit),
// by MASTER's count since Discord's last answer.
type IdentifyBudget struct {
	Total     int       `json:"total"`
	Remaining int       `json:"remaining"`
	Reserve   int       `json:"reserve"`  // of Remaining: kept for a cold start, not for crashes
	Lent      int       `json:"lent"`     // of Remaining: what machines that are away may spend of it
	ResetAt   time.Time `json:"reset_at"` // when it is full again
}

// Low reports whether only the reserve is left for machines that are linked.
func (b IdentifyBudget) Low() bool { return b.Remaining-b.Lent <= b.Reserve }

// MachineState names the state of MASTER's link to a machine.
type MachineState string

const (
	MachineIsLinked MachineState = "linked"
	MachineIsAway   MachineState = "away" // its link is lost; it keeps its shards during the grace
	// it did not return in time: it has no shards, and its figures are unknown
	MachineIsLost MachineState = "lost"
)

// FleetMachine is one machine as MASTER knows it.
type FleetMachine struct {
	Source      string        `json:"source"`
	Host        string        `json:"host"`
	State       MachineState  `json:"state"`
	AwaySince   *time.Time    `json:"away_since,omitempty"` // when its link was lost
	Linked      bool          `json:"linked"`
	Spare       bool          `json:"spare"`
	Drained     bool          `json:"drained"` // by order: it gets nothing
	Granted     []ShardRange  `json:"granted"` // what it should serve
	Ranges      []RangeInfo   `json:"ranges"`  // what it serves, as it reported last
	Clusters    ClusterCounts `json:"clusters"`
	ShardsReady int           `json:"shards_ready"`
}

// Ready reports whether every shard of the bot is READY, and if not, why.
func (v FleetView) Ready() (ready bool, why string) {
	switch {
	case v.Halted:
		return false, "halted: Discord refuses the token or its intents"
	case v.ShardCount == 0:
		return false, "the number of shards is unknown: Discord has not answered"
	case v.ShardsReady < v.ShardCount:
		return false, "not every shard is READY"
	}
	return true, ""
}

// OwnerOf returns the machine that should serve a shard; nil: none.
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
