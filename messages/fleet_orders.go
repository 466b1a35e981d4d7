package messages

import "fmt"

// FleetOrder (anybody → MASTER's root) gives a FleetDirective. Answer is called once and must not
// block: the order was refused, is done, or is under way, and FleetOrderMoved reports its progress
// from then on. An order whose id was seen is the same order: it gets its current state as answer
// and is not carried out again. This holds for a restarted MASTER too, which continues with what is
// left of the order; while it gathers its machines, it first gives them time to return.
type FleetOrder struct {
	MayBeLost
	ID        string // the requester's, 1 to FleetOrderIDMax bytes
	Directive FleetDirective
	By        string // requester, for the log
	Answer    func(Verdict)
}

// FleetOrderIDMax is the maximum length of a FleetOrder's id, in bytes.
const FleetOrderIDMax = 64

// FleetDirective is an order of an operator to the fleet: RestartCluster, RollingRestart,
// DrainMachine, UndrainMachine, ForgetMachine, ResumeFleet. The set is closed, and its members can
// be compared.
type FleetDirective interface {
	// FleetOrder returns the directive in words: "drain machine m2".
	FleetOrder() string
}

// Directives of the fleet alone. RestartCluster finds the cluster on its machine, and is done when
// it serves again. RollingRestart takes one machine after the other, one cluster at a time, and
// stops at the first that does not come up.
type (
	// DrainMachine moves everything that a machine serves to others, with its sessions, and gives
	// it nothing more until it is undrained: the machine itself remembers that. Done when all of it
	// is up again.
	DrainMachine struct{ Source string }
	// UndrainMachine lets a machine be a spare again, or serve.
	UndrainMachine struct{ Source string }
	// ForgetMachine frees the name and the slots of a machine that is away, and gives its shards to
	// others: its operator knows that it is dead.
	ForgetMachine struct{ Source string }
	// ResumeFleet ends a halt.
	ResumeFleet struct{}
)

// FleetOrder is part of FleetDirective.
func (m RestartCluster) FleetOrder() string {
	if m.Fresh {
		return fmt.Sprintf("restart cluster %s fresh", m.Cluster)
	}
	return fmt.Sprintf("restart cluster %s", m.Cluster)
}

// FleetOrder is part of FleetDirective.
func (RollingRestart) FleetOrder() string { return "rolling restart" }

// FleetOrder is part of FleetDirective.
func (m DrainMachine) FleetOrder() string { return "drain machine " + m.Source }

// FleetOrder is part of FleetDirective.
func (m UndrainMachine) FleetOrder() string { return "undrain machine " + m.Source }

// FleetOrder is part of FleetDirective.
func (m ForgetMachine) FleetOrder() string { return "forget machine " + m.Source }

// FleetOrder is part of FleetDirective.
func (ResumeFleet) FleetOrder() string { return "resume fleet" }

// FleetOrderMoved reports that an operator's order to the fleet was given, made progress, or ended.
type FleetOrderMoved struct {
	OrderID  string          `json:"order_id"`
	Order    string          `json:"order"` // in words
	State    FleetOrderState `json:"state"`
	By       string          `json:"by,omitempty"`       // of a given one
	Progress string          `json:"progress,omitempty"` // of a running one
	Err      string          `json:"err,omitempty"`      // of a refused or failed one
}

// FleetOrderState is the progress of an order to the fleet. The last three are final.
type FleetOrderState string

const (
	FleetOrderGiven   FleetOrderState = "given"
	FleetOrderRunning FleetOrderState = "running"
	FleetOrderDone    FleetOrderState = "done"
	FleetOrderRefused FleetOrderState = "refused" // nothing was done
	FleetOrderFailed  FleetOrderState = "failed"
)

// Event returns an error when an order failed.
func (m FleetOrderMoved) Event() (string, Level) {
	if m.State == FleetOrderFailed {
		return "fleet_order.moved", LevelError
	}
	return "fleet_order.moved", LevelInfo
}
