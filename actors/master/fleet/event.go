package fleet

import (
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// Event is something that happened. A link is a number, each used once; an event of a link that is
// no longer the machine's is stale and changes nothing.
type Event interface{ event() }

// Events of links.
type (
	// Arrived reports that a CONTROL opened a link and introduced itself. Authorized: by the right
	// secret.
	Arrived struct {
		Link                     int
		Authorized               bool
		Source, Instance, Remote string
	}
	// Informed holds the info of a CONTROL. Assumed: it sent none, and counts as one that never does.
	Informed struct {
		Source  string
		Link    int
		Info    messages.Info
		Assumed bool
	}
	// Serves reports that the ranges of a CONTROL changed.
	Serves struct {
		Source string
		Link   int
		Ranges []messages.RangeInfo
	}
	// Released reports that a CONTROL released a range, as ordered. Its sessions are known.
	Released struct {
		Source string
		Link   int
		Shards messages.ShardRange
	}
	// Acked holds the answer of a CONTROL to a command or an order.
	Acked struct {
		Source string
		Link   int
		Ack    messages.Ack
	}
	// Counted holds the figures of a heartbeat; it comes when they change.
	Counted struct {
		Source   string
		Link     int
		Clusters messages.ClusterCounts
		Ready    int // shards
	}
	// Fatal reports that Discord closed a shard with a code that no restart repairs. Times is the
	// number of occurrences that an event about it covers; 0: raise none.
	Fatal struct {
		Source string
		Packet messages.Fatal
		Times  int
	}
	// Parted reports that a link ended. Code is the websocket close code; 0: none.
	Parted struct {
		Source string
		Link   int
		Code   int
		Err    string
	}
)

// Other events.
type (
	// Started begins MASTER. Refusal is the last one of Discord in an earlier run; nil: none.
	Started struct{ Refusal *Refusal }
	// Recovered reports that MASTER's actor panicked and lost a message.
	Recovered struct{}
	// Answered holds Discord's answer to AskDiscord. Err is ErrUnauthorized, a *plan.GatewayBotError,
	// or why there is no answer.
	Answered struct {
		Bot plan.GatewayBot
		Err error
	}
	// Recount asks Discord how much of the identify budget is left.
	Recount struct{}
	// Ordered holds an order of an operator.
	Ordered struct{ messages.FleetOrder }
	// Timeout ends the wait of a state.
	Timeout struct {
		Number int
		Due    time.Time
	}
)

// Timers of the fleet itself. losses distinguishes one absence of a machine from another.
type (
	graceOver struct {
		source string
		losses int
		due    time.Time
	}
	forgetDue struct {
		source string
		losses int
	}
	// tryAgain allows to ask a machine again that refused a range; without a source, it continues what
	// was waiting.
	tryAgain struct{ source string }
	// turnDue begins a turn: every permit granted before it was chosen has ended.
	turnDue struct {
		source string
		shards messages.ShardRange
		began  time.Time
	}
	askMachines struct{}
)

func (Arrived) event()     {}
func (Informed) event()    {}
func (Serves) event()      {}
func (Released) event()    {}
func (Acked) event()       {}
func (Counted) event()     {}
func (Fatal) event()       {}
func (Parted) event()      {}
func (Started) event()     {}
func (Recovered) event()   {}
func (Answered) event()    {}
func (Recount) event()     {}
func (Ordered) event()     {}
func (Timeout) event()     {}
func (graceOver) event()   {}
func (forgetDue) event()   {}
func (tryAgain) event()    {}
func (turnDue) event()     {}
func (askMachines) event() {}
