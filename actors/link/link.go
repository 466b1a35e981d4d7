package link

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// Link holds the state of the link to MASTER, of MASTER's orders and of the fleet's settings.
//
//	           opened              initialise              a range is served
//	Dialing ───────────▶ Greeting ─────────────▶ Standby ◀────────────────────▶ Serving
//	   ▲                     │ 10 s, closed          │                            │
//	   └──── redial ─────────┴───────────────────────┴────────────────────────────┘
//
// The clusters keep serving when the link is lost. messages.Stop drains them, in every state, and
// ends CONTROL.
type Link struct {
	options Options
	state   State
	timer   int // number of the current timeout; others are stale
	now     time.Time
	effects []Effect

	number   int        // of the last dial; its link has the same
	link     int        // 0: none
	dial     int        // under way; 0: none
	wasUp    bool       // the link was up once in this run
	upAt     time.Time  // when it was last
	tries    int        // dials since it was up for steadyAfter
	reported string     // the last reported reason for having no link
	broken   int        // packets of this link that could not be read
	peer     plan.Quota // of events about MASTER
	features []string   // of MASTER
	interval time.Duration
	seq      int64 // of the last heartbeat
	beat     int   // number of the current timer of heartbeats

	clock    clock
	settings messages.Settings
	sharding sharding // MASTER's; the settings keep that of what is served
	// what was taken back may belong to another machine now: the part that does not run waits for
	// MASTER's confirmation
	unconfirmed bool
	awaitedHalt *messages.Halt // that MASTER is about to order; nil: none
	lease       lease
	memory      Memory
	recalled    bool // link.json was read
	unsaved     bool // its last save failed
	saveDue     bool // the timer runs that repeats that
	unread      int  // failed tries to read it
	last        map[int]time.Time
	share       *messages.BudgetShare
	status      messages.MachineStatus
	orders      orders
	stopping    bool
	detached    bool
}

// State is a state of the link.
type State string

// The states of a link. Standby and Serving differ for people only: in Serving a range is served.
const (
	Dialing  State = "dialing"
	Greeting State = "greeting"
	Standby  State = "standby"
	Serving  State = "serving"
)

// Options are the operator's settings, and the clocks.
type Options struct {
	URL              string        // of MASTER
	ShardsPerCluster int           // 0: MASTER's
	Heartbeat        time.Duration // interval on the IPC, at which bots learn of a lease
	Clocks           Clocks
	Rand             func() float64      // in [0,1)
	Redact           func(string) string // for texts sent to MASTER
}

const (
	greetWithin = 10 * time.Second // from the open link to initialise
	// steadyAfter is the age from which on the end of a link resets the waits between dials, so that a
	// MASTER which greets and dies is not dialled in a loop.
	steadyAfter = 10 * time.Second
	// defaultInterval is the interval of heartbeats if MASTER sends none (upstream's documents).
	defaultInterval = 30 * time.Second
	beatJitter      = 0.05
)

// New returns a link in state Dialing that has not dialled.
func New(o Options) *Link { return &Link{options: o, state: Dialing, peer: plan.Peer()} }

// State returns the link's state.
func (l *Link) State() State { return l.state }

// Step handles an event that happened at now and returns the effects, in the order in which to
// carry them out.
func (l *Link) Step(e any, now time.Time) []Effect {
	l.now, l.effects = now, nil
	switch l.state {
	case Dialing:
		l.dialing(e)
	case Greeting:
		l.greeting(e)
	case Standby, Serving:
		l.linked(e)
	}
	return l.effects
}

func (l *Link) dialing(e any) {
	switch e := e.(type) {
	case Started:
		l.redial()
	case Loaded:
		l.loaded(e)
	case Opened:
		l.opened(e)
	case Timeout:
		if l.expired(e) {
			l.redial()
		}
	case Recovered:
		if e.Self {
			l.abandonLink() // of a link whose opening was lost
			l.in(time.Second)
			return
		}
		l.always(e)
	default:
		l.always(e)
	}
}

func (l *Link) greeting(e any) {
	switch e := e.(type) {
	case Timeout:
		if l.expired(e) {
			l.drop(0, fmt.Errorf("no initialise within %v", greetWithin))
		}
	case Recovered:
		if e.Self {
			l.in(greetWithin)
			return
		}
		l.always(e)
	default:
		l.always(e)
	}
}

func (l *Link) linked(e any) {
	switch e := e.(type) {
	case beatDue:
		if e.number == l.beat {
			l.heartbeat()
		}
	case Recovered:
		if e.Self { // MASTER's order may be what was lost, and is not repeated on this link
			l.drop(0, errors.New("MasterLink panicked, and may have lost a packet"))
			return
		}
		l.always(e)
	case messages.PaceHandedOver:
		l.last = e.Last
		l.info()
	case messages.SessionsReported:
		l.deliver(Gate, messages.LinkUp{})
	case messages.PermitRequest:
		l.send(e)
	case messages.PermitReport:
		l.send(e)
	case messages.MasterError:
		l.send(e)
	case messages.SessionsMoved:
		l.send(e)
	case messages.SnapshotAsk:
		l.send(e)
	case messages.SnapshotPart:
		l.send(e)
	default:
		l.always(e)
	}
}

// always handles the events that every state treats alike. It drops packets for MASTER: there is no
// link.
func (l *Link) always(e any) {
	switch e := e.(type) {
	case Came:
		if e.Link == l.link {
			l.packet(e.Packet)
		}
	case Broken:
		if e.Link == l.link {
			l.unreadable(e)
		}
	case Ended:
		if e.Link == l.link {
			l.lost(e.Err, e.Code)
		}
	case messages.MachineStatus:
		l.served(e)
	case messages.ServeRefused:
		l.orders.pending = slices.DeleteFunc(l.orders.pending, func(r messages.ShardRange) bool { return r == e.Range })
		l.keepServed()
		l.refuse(messages.OrderConnect, e.ID, &e.Range, errors.New(e.Reason))
		l.unpin()
	case messages.ReleaseRefused:
		l.endOffload(e.ID, e.Range)
		l.refuse(messages.OrderOffload, e.ID, &e.Range, errors.New(e.Reason))
	case messages.Released: // every report of its clusters has arrived
		l.deliver(Sessions, messages.HandSessionsOver{ID: e.ID, Range: e.Range})
	case messages.SessionsHandedOver:
		l.released(e)
	case messages.Ack:
		l.commanded(e)
	case leaseDue:
		l.leaseOver(e)
	case messages.AcceptMaster:
		l.accept()
	case messages.AllStopped:
		l.allStopped()
	case messages.Stop:
		l.stop(e)
	case Saved:
		if l.unsaved = e.Err != nil; l.unsaved && !l.saveDue {
			l.saveDue = true
			l.after(plan.SaveAgain, saveDue{})
		}
	case saveDue:
		if l.saveDue = false; l.unsaved {
			l.save()
		}
	case Recovered:
		l.repeat(e.Child)
	case messages.PaceHandedOver:
		l.last = e.Last
	case messages.ShareLeft:
		l.share = &e.Share
	case messages.Fatal:
		l.fatal(e)
	}
}

func (l *Link) redial() {
	switch {
	case l.stopping:
	case !l.recalled:
		l.do(Load{})
	default:
		l.number++
		l.tries++
		l.lease.from, l.lease.sent = l.now, nil
		l.dial = l.number
		l.do(Dial{l.dial, l.memory.Instance})
	}
}

func (l *Link) opened(e Opened) {
	if e.Link != l.dial {
		return // it was abandoned
	}
	l.dial = 0
	if e.Err != nil {
		l.retry(e.Err, e.Code, false)
		return
	}
	l.link, l.broken, l.features, l.clock = e.Link, 0, nil, clock{}
	l.enter(Greeting)
	l.in(greetWithin)
	l.do(Receive{l.link})
}

// lost handles the end of the link from either side.
func (l *Link) lost(err error, code int) {
	up := l.state != Greeting
	if up {
		l.wasUp, l.reported = true, ""
		if l.now.Sub(l.upAt) >= steadyAfter {
			l.tries = 0
		}
	}
	l.unlink()
	l.retry(err, code, up)
}

// unlink drops the link, and the orders that MASTER must repeat. The clusters keep serving.
func (l *Link) unlink() {
	l.link, l.orders.held = 0, nil
	if l.settings.Token != "" {
		l.deliver(Gate, l.settings) // with MASTER's clock as last known
	}
	l.deliver(Gate, messages.LinkDown{})
	l.deliver(Sessions, messages.ReportSessions{})
	l.enter(Dialing)
	l.deliver(Clusters, l.leaseNow())
	if l.awaitedHalt != nil {
		l.halt(*l.awaitedHalt)
	}
}

// retry sets the timeout of the next dial and reports why there is no link, once for each reason.
// up: the link was up.
func (l *Link) retry(err error, code int, up bool) {
	if l.stopping {
		return
	}
	wait := plan.RedialAfter(code, l.wasUp, l.tries, l.options.Rand())
	l.in(wait)
	switch {
	case l.repeated(err):
	case plan.Refused(code):
		l.raise(messages.MasterRefusedUs{CloseCode: code, Err: err.Error()})
	case up:
		l.raise(messages.MasterLost{Err: err.Error(), CloseCode: code, RetryInMS: messages.Millis(wait)})
	default:
		l.raise(messages.MasterUnreachable{URL: l.options.URL, Err: err.Error(), CloseCode: code, RetryInMS: messages.Millis(wait)})
	}
}

// repeated reports whether this reason for having no link was reported last; it is from now on.
func (l *Link) repeated(err error) bool {
	last := l.reported
	l.reported = err.Error()
	return l.reported == last
}

// drop closes the link; retry dials again.
func (l *Link) drop(code int, why error) {
	l.do(Close{l.link, code, why.Error()})
	l.lost(why, 0)
}

// heartbeat sends one heartbeat and sets the timer of the next.
func (l *Link) heartbeat() {
	if !l.announced(messages.FeatureHeartbeat) {
		return
	}
	l.seq++
	l.lease.asked(l.seq, l.now)
	l.send(messages.Heartbeat{Seq: l.seq, Ranges: l.status.Ranges, Clusters: l.status.Clusters, ShardsReady: l.status.ShardsReady, Share: l.share})
	l.nextBeat()
}

// nextBeat sets the timer of the next heartbeat, in place of the current one.
func (l *Link) nextBeat() {
	l.beat++
	l.after(plan.Jitter(l.interval, beatJitter, l.options.Rand()), beatDue{l.beat})
}

// up reports whether MASTER has greeted this link.
func (l *Link) up() bool { return l.state == Standby || l.state == Serving }

// settle enters Standby or Serving.
func (l *Link) settle() {
	switch serving := len(l.status.Ranges) > 0; {
	case serving && l.state != Serving:
		l.enter(Serving)
	case !serving && l.state != Standby:
		l.enter(Standby)
	}
}

// enter moves to another state and makes the current timeout stale.
func (l *Link) enter(s State) {
	l.state = s
	l.timer++
}

// in sets the timeout of the current state, in place of the current one.
func (l *Link) in(d time.Duration) {
	l.timer++
	l.after(d, Timeout{l.timer})
}

func (l *Link) expired(t Timeout) bool { return t.Number == l.timer }

func (l *Link) do(e Effect)                   { l.effects = append(l.effects, e) }
func (l *Link) after(d time.Duration, e any)  { l.do(After{d, e}) }
func (l *Link) raise(e messages.Event)        { l.do(Raise{e}) }
func (l *Link) deliver(to Actor, message any) { l.do(Deliver{to, message}) }
