package link

import (
	"time"

	"github.com/discluster/control/messages"
)

// Events. Messages of CONTROL's other actors (package messages) are events too. A link is a number
// that is used once.
type (
	// Started begins the link, once.
	Started struct{}
	// Opened reports that a dial succeeded, or failed with Err.
	Opened struct {
		Link int
		Err  error
		Code int // websocket close code of the refusal; 0: none
	}
	// Ended reports that a link ended.
	Ended struct {
		Link int
		Err  error
		Code int
	}
	// Came holds a packet of MASTER.
	Came struct {
		Link   int
		Packet messages.FromMaster
	}
	// Broken reports an unreadable packet of MASTER. Packet is its name if only a field is wrong.
	Broken struct {
		Link   int
		Packet string
		Err    error
	}
	// Loaded holds the content of link.json; nil: there is none.
	Loaded struct {
		Memory *Memory
		Err    error // why it cannot be read; a retry may help
	}
	// Saved reports that link.json is on disk, or why not.
	Saved struct{ Err error }
	// Recovered reports that an actor panicked and may have lost messages. Self: it was MasterLink.
	Recovered struct {
		Self  bool
		Child Actor
	}
	// Timeout ends the wait of a state.
	Timeout struct{ Number int }
)

// Timers of the link itself.
type (
	beatDue  struct{ number int }
	leaseDue struct{ until time.Time }
	saveDue  struct{} // the time to repeat a failed save
)

// Actor names an actor that a Link sends to.
type Actor string

// The actors of a CONTROL that a Link sends to.
const (
	Gate      Actor = "gate"
	Sessions  Actor = "sessions"
	Clusters  Actor = "clusters"
	Commander Actor = "commander"
)

// Effect is an action for MasterLink.
type Effect interface{ effect() }

type (
	// Dial opens a link; Opened follows with this number, unless the dial is abandoned.
	Dial struct {
		Link     int
		Instance string
	}
	// Receive begins to read a link.
	Receive struct{ Link int }
	// Close closes a link, or abandons its dial.
	Close struct {
		Link, Code int
		Reason     string
	}
	// Send sends MASTER a packet.
	Send struct {
		Link   int
		Packet messages.FromControl
	}
	// SendInfo sends MASTER an Info. MasterLink adds the machine's figures, its clock and the last
	// use of each bucket by that clock.
	SendInfo struct {
		Link int
		Info messages.Info
		Last map[int]time.Time // per bucket
	}
	// Deliver sends a message to an actor.
	Deliver struct {
		To      Actor
		Message any
	}
	// Raise raises an event for operators.
	Raise struct{ Event messages.Event }
	// After returns an event to Step once a time has passed.
	After struct {
		For   time.Duration
		Event any
	}
	// Load reads link.json; Loaded follows.
	Load struct{}
	// Save writes link.json; Saved follows.
	Save struct{ Memory Memory }
	// Learn adds a token to the redacted ones.
	Learn struct{ Token messages.Secret }
	// Warn logs a warning for operators.
	Warn struct{ Text string }
	// Stop ends CONTROL.
	Stop struct{}
)

func (Dial) effect()     {}
func (Receive) effect()  {}
func (Close) effect()    {}
func (Send) effect()     {}
func (SendInfo) effect() {}
func (Deliver) effect()  {}
func (Raise) effect()    {}
func (After) effect()    {}
func (Load) effect()     {}
func (Save) effect()     {}
func (Learn) effect()    {}
func (Warn) effect()     {}
func (Stop) effect()     {}
