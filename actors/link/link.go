package link

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// Link is CONTROL's knowledge of its MASTER, and of MASTER's orders.
//
//	           opened              initialise              a range is served
//	Dialing ───────────▶ Greeting ─────────────▶ Standby ◀────────────────────▶ Serving
//	   ▲                     │ 10 s, closed          │                            │
//	   └──── redial ─────────┴───────────────────────┴────────────────────────────┘
//
// The loss of the link changes nothing for the clusters. messages.Stop drains them, in every state,
// and ends CONTROL.
type Link struct {
	options Options
	state   State
	timer   int // the current timeout; another one is stale
	now     time.Time
	effects []Effect

	number   int        // of links and dials so far
	link     int        // 0: there is none
	dial     int        // under way; 0: none
	wasUp    bool       // the link was up once in this run
	upAt     time.Time  // last
	tries    int        // dials since it was up for a while
	reported string     // the last reason for having no link
	broken   int        // packets of this link that could not be read
	peer     plan.Quota // of events about MASTER
	features []string   // that MASTER announced
	interval time.Duration
	seq      int64 // of the last heartbeat
	beat     int   // the current timer of heartbeats

	clock    clock
	settings messages.Settings
	sharding sharding // as MASTER sent it; what is served may be of another
	// what was taken back may belong to another machine now: the part that does not run waits for
	// MASTER to confirm it
	doubtful bool
	feared   *messages.Halt
	lease    lease
	memory   Memory
	recalled bool // memory holds the previous run's
	unread   int  // tries to read it
	last     map[int]time.Time
	share    *messages.Share
	status   messages.MachineStatus
	orders   orders
	stopping bool
	detached bool
}

// State is a state of the link.
type State string

// The states of a link. Standby and Serving differ in whether a range is served; only people need
// the difference.
const (
	Dialing  State = "dialing"
	Greeting State = "greeting"
	Standby  State = "standby"
	Serving  State = "serving"
)

// Options are the operator's settings, and the clocks.
type Options struct {
	URL              string        // of MASTER
	ShardsPerCluster int           // 0: not set here
	Heartbeat        time.Duration // of the IPC: bots learn of a lease by it
	Clocks           Clocks
	Rand             func() float64      // in [0,1)
	Redact           func(string) string // for texts sent to MASTER
}

const (
	greetWithin = 10 * time.Second // from the open link to initialise
	// steadyAfter: a link that ends sooner does not reset the waits, so that a MASTER which greets and
	// dies is not dialled in a loop.
	steadyAfter = 10 * time.Second
	// defaultInterval is the interval of heartbeats where MASTER sends none (upstream's documents).
	defaultInterval = 30 * time.Second
	beatJitter      = 0.05
)

// New returns a link in state Dialing that has not dialled.
func New(o Options) *Link { return &Link{options: o, state: Dialing, peer: plan.Peer()} }

// State returns the link's state.
func (l *Link) State() State { return l.state }

// Step takes an event that happened at now, and returns the effects, to be carried out in this
// order.
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
			l.letGo() // of a link whose opening was lost
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
		if e.Self {
			l.heartbeat()
			l.info()
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
	default:
		l.always(e)
	}
}

// always handles what is the same in every state. It drops what is meant for MASTER alone, because
// there is no link.
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
		l.refuse("connect", e.ID, &e.Range, errors.New(e.Reason))
		l.unpin()
	case messages.ReleaseRefused:
		l.endOffload(e.ID, e.Range)
		l.refuse("offload", e.ID, &e.Range, errors.New(e.Reason))
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
		if e.Err != nil {
			l.raise(messages.StateUnwritable{File: File, Err: e.Err.Error()})
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

// lost handles the end of the link, whichever side ended it.
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

// unlink forgets the link, and what MASTER must order again. What is served goes on.
func (l *Link) unlink() {
	l.link, l.orders.held = 0, nil
	if l.settings.Token != "" {
		l.deliver(Gate, l.settings) // with MASTER's clock as last known
	}
	l.deliver(Gate, messages.LinkDown{})
	l.deliver(Sessions, messages.ReportSessions{})
	l.enter(Dialing)
	l.deliver(Clusters, l.leaseNow())
	if l.feared != nil {
		l.halt(*l.feared)
	}
}

// retry waits for the next dial, and reports why there is no link, once for each reason. up: a link
// that was up ended.
func (l *Link) retry(err error, code int, up bool) {
	if l.stopping {
		return
	}
	wait := plan.RedialAfter(code, l.wasUp, l.tries, l.options.Rand())
	l.in(wait)
	if err.Error() == l.reported {
		return
	}
	l.reported = err.Error()
	switch {
	case plan.Refused(code):
		l.raise(messages.MasterRefusedUs{CloseCode: code, Err: err.Error()})
	case up:
		l.raise(messages.MasterLost{Err: err.Error(), CloseCode: code, RetryInMS: messages.Millis(wait)})
	default:
		l.raise(messages.MasterUnreachable{URL: l.options.URL, Err: err.Error(), CloseCode: code, RetryInMS: messages.Millis(wait)})
	}
}

// drop ends the link from this side, and dials again when it is time.
func (l *Link) drop(code int, why error) {
	l.do(Close{l.link, code, why.Error()})
	l.lost(why, 0)
}

// heartbeat sends one heartbeat and asks for the next.
func (l *Link) heartbeat() {
	if !l.announced(messages.FeatureHeartbeat) {
		return
	}
	l.seq++
	l.lease.asked(l.seq, l.now)
	l.send(messages.Heartbeat{Seq: l.seq, Ranges: l.status.Ranges, Clusters: l.status.Clusters, ShardsReady: l.status.ShardsReady, Share: l.share})
	l.nextBeat()
}

// nextBeat asks for the next heartbeat, in place of one that was asked for before.
func (l *Link) nextBeat() {
	l.beat++
	l.after(plan.Jitter(l.interval, beatJitter, l.options.Rand()), beatDue{l.beat})
}

// up reports whether MASTER has greeted this link.
func (l *Link) up() bool { return l.state == Standby || l.state == Serving }

// settle enters the state of a link with nothing to wait for.
func (l *Link) settle() {
	switch serving := len(l.status.Ranges) > 0; {
	case serving && l.state != Serving:
		l.enter(Serving)
	case !serving && l.state != Standby:
		l.enter(Standby)
	}
}

// enter moves to another state; its timeout is stale from then on.
func (l *Link) enter(s State) {
	l.state = s
	l.timer++
}

// in asks for one Timeout in the current state, in place of the one before.
func (l *Link) in(d time.Duration) {
	l.timer++
	l.after(d, Timeout{l.timer})
}

func (l *Link) expired(t Timeout) bool { return t.Number == l.timer }

func (l *Link) do(e Effect)                   { l.effects = append(l.effects, e) }
func (l *Link) after(d time.Duration, e any)  { l.do(After{d, e}) }
func (l *Link) raise(e messages.Event)        { l.do(Raise{e}) }
func (l *Link) deliver(to Actor, message any) { l.do(Deliver{to, message}) }
