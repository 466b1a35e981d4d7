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
	// Arrived: a CONTROL opened a link and introduced itself. Authorized: by the right secret.
	Arrived struct {
		Link                     int
		Authorized               bool
		Source, Instance, Remote string
	}
	// Informed: a CONTROL reported what it is. Assumed: it did not, and counts as one that never does.
	Informed struct {
		Source  string
		Link    int
		Info    messages.Info
		Assumed bool
	}
	// Serves: the ranges of a CONTROL changed.
	Serves struct {
		Source string
		Link   int
		Ranges []messages.RangeInfo
	}
	// Released: a CONTROL let go of a range, as ordered; its sessions are known.
	Released struct {
		Source string
		Link   int
		Shards messages.ShardRange
	}
	// Acked: a CONTROL answered a command or an order.
	Acked struct {
		Source string
		Link   int
		Ack    messages.Ack
	}
	// Counted: the figures of a heartbeat changed.
	Counted struct {
		Source   string
		Link     int
		Clusters messages.ClusterCounts
		Ready    int // shards
	}
	// Fatal: Discord closed a shard with a code that no restart repairs. Times is how many occurrences
	// an event about it covers; 0: none is raised.
	Fatal struct {
		Source string
		Packet messages.Fatal
		Times  int
	}
	// Parted: a link ended, with a websocket close code where one came.
	Parted struct {
		Source string
		Link   int
		Code   int
		Err    string
	}
)

// Other events.
type (
	// Started: MASTER begins. Refusal is the last one of Discord that is not over; nil: none.
	Started struct{ Refusal *Refusal }
	// Recovered: MASTER's actor panicked, and lost the message it was handling.
	Recovered struct{}
	// Answered is Discord's answer to AskDiscord: ErrUnauthorized, a *plan.GatewayBotError, or the
	// error that kept it from answering.
	Answered struct {
		Bot plan.GatewayBot
		Err error
	}
	// Recount: the governor asks how much of the identify budget is left.
	Recount struct{}
	// Ordered: an operator's order came.
	Ordered struct{ messages.FleetOrder }
	// Timeout: the wait of a state is over.
	Timeout struct {
		Number int
		Due    time.Time
	}
)

// Timers of the fleet's own. losses distinguishes one absence of a machine from another.
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
	// tryAgain: a machine that refused a range may be asked again; without a source, what was held up
	// can go on.
	tryAgain struct{ source string }
	// turnDue: whatever was granted before a turn was chosen is used and over.
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
