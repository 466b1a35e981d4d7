package link

import (
	"time"

	"github.com/discluster/control/messages"
)

// Events, beside messages of CONTROL's other actors (package messages), which are events as they
// are. A link is a number, each used once.
type (
	// Started: CONTROL begins.
	Started struct{}
	// Opened: a dial succeeded, or failed with Err.
	Opened struct {
		Link int
		Err  error
		Code int // websocket close code of the refusal, where one came
	}
	// Ended: a link ended.
	Ended struct {
		Link int
		Err  error
		Code int
	}
	// Came: MASTER sent a packet.
	Came struct {
		Link   int
		Packet messages.FromMaster
	}
	// Broken: MASTER sent an unreadable packet. Packet names it where the packet is known and one of
	// its fields is wrong.
	Broken struct {
		Link   int
		Packet string
		Err    error
	}
	// Loaded: the content of link.json; nil where there is none.
	Loaded struct {
		Memory *Memory
		Err    error // it cannot be read now
	}
	// Saved: link.json is on disk, or not.
	Saved struct{ Err error }
	// Recovered: an actor panicked, and may have lost messages sent to it. Self: it was the link's.
	Recovered struct {
		Self  bool
		Child Actor
	}
	// Timeout: the wait of a state is over.
	Timeout struct{ Number int }
)

// Timers of the link's own.
type (
	beatDue  struct{ number int }
	leaseDue struct{ until time.Time }
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

// Effect is something to do outside.
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
	// SendInfo sends MASTER an Info. The actor adds the machine's own figures, its clock and the
	// buckets' last use by that clock.
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
	// Save writes it; Saved follows.
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
