package fleet

import (
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// Effect is an action for package master.
type Effect interface{ effect() }

// Effects at links.
type (
	// Admit begins to serve a link.
	Admit struct {
		Link   int
		Source string
	}
	// Refuse closes a link that was not admitted.
	Refuse struct {
		Link, Code int
		Reason     string
	}
	// Close closes the link of a machine.
	Close struct {
		Link, Code int
		Reason     string
	}
	// End forgets a link that is closed.
	End struct{ Link int }
	// Greet sends a CONTROL the fleet's settings. Package master adds the bot's token and the time.
	Greet struct {
		Link       int
		Initialise messages.Initialise
	}
	// Send sends an order or a command, in order. A Connect gets the sessions of its shards, unless it
	// Confirms what the machine serves already.
	Send struct {
		Link     int
		Packet   messages.FromMaster
		Confirms bool
	}
	// Own makes a machine the only one that may report the sessions of a range.
	Own struct {
		Source string
		Shards messages.ShardRange
	}
)

// Effects at the governor.
type (
	// Pace begins to grant permits.
	Pace struct{ Shards, MaxConcurrency int }
	// Repace changes max_concurrency. Every machine was greeted with it before.
	Repace struct{ MaxConcurrency int }
	// Keep limits grants to these slots; nil lifts the limit. Unmet: machines that this run of MASTER
	// has not met may have some of an earlier run.
	Keep struct {
		Slots []messages.Place
		Unmet bool
	}
	// UsedAll reports that each of Buckets buckets may have been used until now.
	UsedAll struct{ Buckets int }
	// Dead reports that an operator declared a machine dead: it spends nothing more.
	Dead struct{ Source string }
	// Halt ends all grants, until Resume.
	Halt   struct{}
	Resume struct{}
	// Counting reports that Discord is being asked how much of the identify budget is left.
	Counting struct{}
	// Budget holds Discord's answer. Blind: the identifies of some machines are unknown. Away lists the
	// known machines without a link.
	Budget struct {
		plan.Budget
		Blind bool
		Away  []string
	}
	// Unanswered reports that Discord did not answer.
	Unanswered struct{}
)

// Other effects.
type (
	// AskDiscord asks Discord for its recommendation and limits; Answered follows.
	AskDiscord struct{}
	// After returns an event to Step once a time has passed.
	After struct {
		For   time.Duration
		Event Event
	}
	// Raise raises an event for operators.
	Raise struct{ Event messages.Event }
	// Answer answers an operator's order.
	Answer struct {
		Order   messages.FleetOrder
		Verdict messages.Verdict
	}
	// Remember keeps a refusal of Discord's for MASTER's next run.
	Remember struct{ Refusal }
	// Warn logs why the identify budget is unknown.
	Warn struct{ Err error }
	// Fail ends MASTER: it cannot work.
	Fail struct{ Err error }
)

func (Admit) effect()      {}
func (Refuse) effect()     {}
func (Close) effect()      {}
func (End) effect()        {}
func (Greet) effect()      {}
func (Send) effect()       {}
func (Own) effect()        {}
func (Pace) effect()       {}
func (Repace) effect()     {}
func (Keep) effect()       {}
func (UsedAll) effect()    {}
func (Dead) effect()       {}
func (Halt) effect()       {}
func (Resume) effect()     {}
func (Counting) effect()   {}
func (Budget) effect()     {}
func (Unanswered) effect() {}
func (AskDiscord) effect() {}
func (After) effect()      {}
func (Raise) effect()      {}
func (Answer) effect()     {}
func (Remember) effect()   {}
func (Warn) effect()       {}
func (Fail) effect()       {}
