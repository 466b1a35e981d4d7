package fleet

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// Fleet holds what MASTER knows of the fleet.
//
//	        shards and limits known            all connected, or the wait is over
//	Asking ─────────────────────────▶ Gathering ──────────────────────────────────▶ Serving
//
// CONTROLs are admitted in every state, and are greeted as soon as the fleet's shards are known.
type Fleet struct {
	options Options
	token   string // its fingerprint
	random  func() float64
	state   State
	timer   int // number of the current timeout; others are stale
	began   time.Time
	now     time.Time // of the current step
	effects []Effect

	epoch    int64
	settings settings
	machines map[string]*machine // by source
	sorted   []*machine          // the same in the order of their sources; nil: to be sorted again
	orderIDs int                 // assigned; a forgotten machine remembers the orders it answered

	// when the first machine came that serves by an order of an earlier MASTER; zero: none did
	firstReturn   time.Time
	noneConnected bool // the wait for CONTROLs ended without any
	allReady      bool // every shard was READY once
	reserved      bool // the buckets are kept for a machine that paces itself

	halted  *messages.Halt
	resumed *messages.Halt // the last halt that an operator lifted, in this run of MASTER or before

	refusals, duplicates plan.Quota // of events about links that are refused

	discord
	slots
	orders
}

// State is a state of the fleet, as the API names it.
type State string

// The states of a fleet.
const (
	Asking    State = "asking"    // shards and limits are unknown
	Gathering State = "gathering" // MASTER waits for its CONTROLs
	Serving   State = "serving"   // ranges are placed
)

// Options are the operator's settings, and MASTER's own times.
type Options struct {
	Shards           int // 0: Discord's recommendation
	MaxConcurrency   int // 0: Discord's
	ShardsPerCluster int // 0: by max_concurrency

	Expect    int           // machines; 0: unknown
	Alone     bool          // there is one machine, and never another
	Spares    int           // machines that a cold start leaves without shards
	Wait      time.Duration // for machines, at MASTER's start
	Grace     time.Duration // for a lost machine to return, before its shards are placed elsewhere
	Lease     time.Duration // how long a machine may serve without hearing from MASTER; 0: forever
	Heartbeat time.Duration
	TTL       time.Duration // of a permit
	Margin    time.Duration // beyond Discord's 5 s
}

// settings are what the whole fleet has in common.
type settings struct {
	shards, maxConcurrency, perCluster int
}

// Limits of a fleet.
const (
	machinesMax = 2000 // a thousand, and as many that are away
	sourceMax   = 255
)

// refused is the quota of events about refused links: anyone who reaches the port can cause one.
var refused = plan.Quota{Limiter: plan.Limiter{Burst: 10, PerSecond: 1. / 60}}

// New returns a fleet that begins at now, in state Asking. token is the fingerprint of the bot's
// token, and random returns numbers in [0,1). Its epoch outranks those of MASTERs before, where
// epoch is a time that never goes back.
func New(o Options, token string, random func() float64, epoch int64, now time.Time) *Fleet {
	return &Fleet{options: o, token: token, random: random, state: Asking, began: now, epoch: epoch, machines: map[string]*machine{}, refusals: refused, duplicates: refused}
}

// State returns the fleet's state.
func (f *Fleet) State() State { return f.state }

// Step handles an event that happened at now and returns the effects, in the order in which to
// carry them out.
func (f *Fleet) Step(e Event, now time.Time) []Effect {
	f.now, f.effects = now, nil
	switch f.state {
	case Asking:
		f.asking(e)
	case Gathering:
		f.gathering(e)
	case Serving:
		f.serving(e)
	}
	return f.effects
}

func (f *Fleet) asking(e Event) {
	switch e := e.(type) {
	case Started:
		f.start(e)
	case Answered:
		f.answered(e)
	case Timeout:
		if f.expired(e) {
			f.ask()
		}
	case Recovered: // the answer may be what was lost
		f.posed = false
		f.ask()
		f.askMachines()
	case Informed:
		f.learned(e)
	default:
		f.always(e)
	}
}

func (f *Fleet) gathering(e Event) {
	switch e := e.(type) {
	case Timeout:
		switch {
		case !f.expired(e):
		case f.now.Sub(e.Due) > f.options.Heartbeat: // MASTER was suspended: CONTROLs need time to return
			f.in(max(f.options.Wait, returnWithin))
		case !slices.ContainsFunc(f.inOrder(), func(m *machine) bool { return m.informed }):
			f.noneConnected = true // perhaps MASTER was cut off: the first machine that comes shows it
		default:
			f.serve()
		}
	case Recovered:
		f.in(f.options.Wait)
		f.askAgain()
	case Informed:
		f.informed(e)
		switch m := f.machines[e.Source]; {
		case f.complete() && f.present() >= f.options.Expect:
			f.serve()
		case !f.noneConnected || m == nil || !m.informed:
		case f.firstReturn.IsZero() && f.inherited.IsZero():
			f.serve()
		default: // it was in a fleet before: others may have been too
			f.noneConnected = false
			f.in(f.options.Wait)
		}
	default:
		f.always(e)
	}
}

func (f *Fleet) serving(e Event) {
	switch e := e.(type) {
	case Informed:
		f.informed(e)
		f.settle()
	case Recovered:
		f.askAgain()
		f.expectAll()
		f.settle()
	default:
		f.always(e)
	}
}

// always handles the events that every state treats alike.
func (f *Fleet) always(e Event) {
	switch e := e.(type) {
	case Arrived:
		f.welcome(e)
	case Serves:
		f.serves(e)
	case Released:
		f.released(e)
	case Acked:
		f.acked(e)
	case Parted:
		f.parted(e)
	case Counted:
		f.counted(e)
	case Ordered:
		f.accept(e.FleetOrder)
	case Fatal:
		f.fatal(e)
	case Answered:
		f.recounted(e)
	case Recount:
		f.ask()
	case askMachines:
		f.askMachines()
	case graceOver:
		f.graceOver(e)
	case forgetDue:
		f.forget(e)
	case tryAgain:
		f.tryAgain(e)
	case turnDue:
		f.turnDue(e)
	}
}

func (f *Fleet) start(e Started) {
	if e.Refusal != nil {
		f.recallRefusal(*e.Refusal)
	}
	f.ask()
	f.after(othersAfter, askMachines{})
}

// know takes over the fleet's shards and limits, and greets the CONTROLs that are linked already.
func (f *Fleet) know(g plan.GatewayBot) {
	s := settings{shards: g.Shards, maxConcurrency: g.MaxConcurrency, perCluster: cmp.Or(f.options.ShardsPerCluster, f.settings.perCluster)}
	if f.options.Shards > 0 {
		s.shards = f.options.Shards
	}
	if f.options.MaxConcurrency > 0 {
		s.maxConcurrency = f.options.MaxConcurrency
	}
	if s.perCluster == 0 {
		s.perCluster = plan.ShardsPerCluster(s.maxConcurrency)
	}
	f.settings = s
	if f.blindEpoch > 0 {
		f.epoch++ // what a machine reports from now on, it reports knowing that it asks for permits
	}
	f.raise(messages.FleetAsked{ShardCount: s.shards, MaxConcurrency: s.maxConcurrency, Remaining: g.Remaining})
	f.do(Pace{s.shards, s.maxConcurrency})
	f.do(f.budget(g))
	if f.halted != nil {
		f.do(Halt{})
	}
	f.enter(Gathering)
	f.in(f.options.Wait)
	for _, m := range f.inOrder() {
		f.greet(m)
	}
}

// serve ends the wait for machines.
func (f *Fleet) serve() {
	f.enter(Serving)
	f.slotsBy = f.now.Add(slotsWithin)
	f.after(slotsWithin, tryAgain{})
	if fenced := f.began.Add(f.options.Lease + messages.LeaseMargin).Sub(f.now); fenced > 0 {
		f.after(fenced, tryAgain{}) // awaitsReturns
	}
	f.expectAll()
	f.judgeHalts()
	f.carryOutWaiting()
	for _, m := range f.inOrder() {
		f.confirmAll(m)
	}
	f.settle()
}

// paced reports whether there is a governor.
func (f *Fleet) paced() bool { return f.state != Asking }

// inOrder lists every machine by its source, the order for actions on several.
func (f *Fleet) inOrder() []*machine {
	if f.sorted == nil {
		for _, source := range slices.Sorted(maps.Keys(f.machines)) {
			f.sorted = append(f.sorted, f.machines[source])
		}
	}
	return f.sorted
}

// enter moves to another state and makes the current timeout stale.
func (f *Fleet) enter(s State) {
	f.state = s
	f.timer++
}

// in sets the timeout of the current state, in place of the current one.
func (f *Fleet) in(d time.Duration) {
	f.timer++
	f.after(d, Timeout{f.timer, f.now.Add(d)})
}

func (f *Fleet) expired(t Timeout) bool { return t.Number == f.timer }

func (f *Fleet) do(e Effect) { f.effects = append(f.effects, e) }

func (f *Fleet) after(d time.Duration, e Event) { f.do(After{d, e}) }

func (f *Fleet) raise(e messages.Event) { f.do(Raise{e}) }
