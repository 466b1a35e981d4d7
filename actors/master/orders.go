package master

import "github.com/discluster/control/messages"

// Order is what an operator wants of the fleet. Whoever sends one to MASTER's root actor, as a request, is answered with any number of Progress and one Done. An order
// whose id was seen is the same order: it is answered again, and not carried out again.
type Order struct {
	ID   string // the asker's; "": it is not remembered
	Want Want
}

// Want is what an order is about. The set is closed.
type Want interface{ want() }

type (
	// RestartCluster gives one cluster a new process, wherever it runs. Done when it serves again.
	RestartCluster struct {
		Cluster messages.ClusterID
		Fresh   bool // it identifies; else it resumes
	}
	// DrainMachine moves everything that a machine serves to others, with its sessions, and gives it nothing more in this life of MASTER. Done when all of it is up again.
	DrainMachine struct{ Source string }
	// UndrainMachine lets a machine be a spare again, or serve.
	UndrainMachine struct{ Source string }
	// RollingRestart gives every cluster of the fleet a new process, one machine after the other, one cluster at a time. It stops at the first that does not come up.
	RollingRestart struct{}
	// ResumeFleet ends a halt.
	ResumeFleet struct{}
	// ForgetMachine frees the name and the slots of a machine that is away, and gives its shards to others: its operator knows that it is dead.
	ForgetMachine struct{ Source string }
	// Status asks how the fleet stands. The answer is in Done.
	Status struct{}
)

func (RestartCluster) want() {}
func (DrainMachine) want()   {}
func (UndrainMachine) want() {}
func (RollingRestart) want() {}
func (ResumeFleet) want()    {}
func (ForgetMachine) want()  {}
func (Status) want()         {}

// What an order is answered with.
type (
	// Progress tells how far an order is.
	Progress struct {
		ID   string
		Text string
	}
	// Done is the last word on an order. Err is why it was refused, or failed; "": it was carried out.
	Done struct {
		ID     string
		Err    string
		Status *Standing // of Status
	}
)

// The asker may be gone by then.
func (Progress) IgnoreDeadLetterLogging() {}
func (Done) IgnoreDeadLetterLogging()     {}

// Standing is how the fleet stands.
type Standing struct {
	State          string            `json:"state"` // asking, gathering, serving
	Epoch          int64             `json:"epoch"`
	ShardCount     int               `json:"shard_count"` // 0: not known yet
	MaxConcurrency int               `json:"max_concurrency"`
	Halted         *messages.Halt    `json:"halted,omitempty"`
	Machines       []MachineStanding `json:"machines"` // by their sources
}

// MachineStanding is how one machine stands.
type MachineStanding struct {
	Source  string                `json:"source"`
	Host    string                `json:"host"`
	Linked  bool                  `json:"linked"`
	Spare   bool                  `json:"spare"`
	Drained bool                  `json:"drained"`
	Place   messages.Place        `json:"place"`   // its slots
	Granted []messages.ShardRange `json:"granted"` // what it is to serve
	Ranges  []messages.RangeInfo  `json:"ranges"`  // what it serves, as it says itself
}
