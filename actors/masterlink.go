package actors

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// MasterLink is CONTROL's root: it keeps the link to MASTER and spawns everybody else.
//
//	           opened              initialise              a range is served
//	dialing ───────────▶ greeting ─────────────▶ standby ◀────────────────────▶ serving
//	   ▲                     │ 10 s, closed          │                            │
//	   └──── Redial ─────────┴───────────────────────┴────────────────────────────┘
//
// The loss of the link changes nothing for the clusters. Stop drains them, in every state, and ends the actor.
type MasterLink struct {
	world.States
	options Options
	house   House
	members []member
	mending map[string]bool // who panicked a moment ago, by id

	link     transport.Link
	cancel   func()        // of the dial under way
	wasUp    bool          // the link was up once in this life
	upAt     time.Time     // when it was up last
	tries    int           // dials since it was up for a while
	said     string        // the last reason said for having no link
	dropped  int           // packets of this link that could not be read
	peer     plan.Quota    // of what MASTER has reported
	features []string      // that MASTER announced
	transit  plan.Transit  // of its packets, by our wall clock
	steady   plan.Transit  // and by our steady one
	exact    bool          // one of them came at once when it was asked for
	interval time.Duration // of heartbeats
	seq      int64         // of the last heartbeat
	chain    int           // of heartbeats: a new one takes the place of the last
	settings messages.Settings
	word     sharding       // as MASTER says it; what is served may be of another
	feared   *messages.Halt // a fatal failure that MASTER has not answered
	lease    lease
	doubtful bool // what was taken back may be another machine's by now: what of it does not run waits for MASTER's word
	memory   linkMemory
	recalled bool              // memory is what the last life left
	unread   int               // tries to read it
	last     map[int]time.Time // per bucket, of the gate
	share    *messages.Share   // of the day's budget, as the gate has it on disk
	standing messages.MachineStatus
	orders   orders
	stopping bool
	detached bool // and the clusters are left serving
}

const (
	greetWithin     = 10 * time.Second // from the open link to initialise
	steadyAfter     = 10 * time.Second // a link that ends sooner does not begin the waits anew: a MASTER that greets and dies is not dialled in a loop
	defaultInterval = 30 * time.Second // of heartbeats where MASTER does not say (upstream's documents)
	beatJitter      = 0.05
)

// What the link's World tells it. Each names the link, or the chain, that it speaks of.
type (
	linkOpened struct {
		link transport.Link
		err  error
	}
	linkFrame struct {
		link  transport.Link
		frame []byte
	}
	linkEnded struct {
		link transport.Link
		err  error
	}
	// beat is the time for the next heartbeat.
	beat struct{ chain int }
)

// These may come after CONTROL has stopped; that is no news.
func (linkOpened) IgnoreDeadLetterLogging() {}
func (linkFrame) IgnoreDeadLetterLogging()  {}
func (linkEnded) IgnoreDeadLetterLogging()  {}
func (beat) IgnoreDeadLetterLogging()       {}

// New gives the props of CONTROL's root actor. Stop it with messages.Stop.
func New(w *world.World, o Options) *actor.Props {
	return w.Spawn("masterlink", func() actor.Actor {
		m := &MasterLink{options: o, peer: plan.Peer()}
		m.Begin(w, w.Log.With().Str("actor", "masterlink").Logger(), "dialing", m.dialing)
		return m
	}, actor.WithGuardian(&world.Resume{Log: w.Log}))
}

func (m *MasterLink) dialing(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case *actor.Started:
		m.house = houseOf(ctx.Self())
		m.spawnHouse(ctx)
		m.dial(ctx)
	case linkOpened:
		m.opened(ctx, msg)
	case world.Timeout:
		m.dial(ctx)
	case world.Recovered:
		m.letGo() // of a link whose opening was lost
		m.In(ctx, time.Second)
	default:
		m.always(ctx)
	}
}

func (m *MasterLink) greeting(ctx actor.Context) {
	switch ctx.Message().(type) {
	case world.Timeout:
		m.drop(ctx, 0, fmt.Errorf("no initialise within %v", greetWithin))
	case world.Recovered:
		m.In(ctx, greetWithin)
	default:
		m.always(ctx)
	}
}

func (m *MasterLink) standby(ctx actor.Context) { m.linked(ctx) }
func (m *MasterLink) serving(ctx actor.Context) { m.linked(ctx) }

// linked is what both states of an initialised link do: they differ in whether something is served, which is for people to see.
func (m *MasterLink) linked(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case beat:
		if msg.chain == m.chain {
			m.beat(ctx)
		}
	case world.Recovered:
		m.beat(ctx)
		m.info(ctx)
	case messages.PaceHandedOver:
		m.last = msg.Last
		m.info(ctx)
	case messages.SessionsReported:
		ctx.Send(m.house.Gate, messages.LinkUp{})
	case messages.PermitRequest:
		m.send(ctx, msg)
	case messages.PermitReport:
		m.send(ctx, msg)
	case messages.MasterError:
		m.send(ctx, msg)
	case messages.SessionsMoved:
		m.send(ctx, msg)
	default:
		m.always(ctx)
	}
}

// always is what every state does with what it does not name.
func (m *MasterLink) always(ctx actor.Context) {
	switch msg := ctx.Message().(type) {
	case linkFrame:
		m.frame(ctx, msg)
	case linkEnded:
		if msg.link == m.link {
			m.lost(ctx, msg.err)
		}
	case messages.MachineStatus:
		m.stands(ctx, msg)
	case messages.ServeRefused:
		m.orders.pending = slices.DeleteFunc(m.orders.pending, func(r messages.ShardRange) bool { return r == msg.Range })
		m.keepServed(ctx)
		m.refuse(ctx, "connect", msg.ID, &msg.Range, errors.New(msg.Reason))
		m.unpin(ctx)
	case messages.ReleaseRefused:
		m.endOffload(ctx, msg.ID, msg.Range)
		m.refuse(ctx, "offload", msg.ID, &msg.Range, errors.New(msg.Reason))
	case messages.Released:
		ctx.Send(m.house.Sessions, messages.HandSessionsOver{ID: msg.ID, Range: msg.Range}) // every word of its clusters is there by now
	case messages.SessionsHandedOver:
		m.released(ctx, msg)
	case messages.Ack:
		m.commanded(ctx, msg)
	case leaseEnds:
		m.leaseEnds(ctx, msg)
	case mend:
		m.mend(ctx, msg.child)
	case messages.AcceptMaster:
		m.accept(ctx)
	case messages.AllStopped:
		m.allStopped(ctx)
	case messages.Stop:
		switch {
		case msg.Detach:
			m.stopping, m.detached = true, true
			ctx.Stop(ctx.Self())
		case !m.stopping:
			m.stopping = true
			if !m.recalled { // what runs is found and ended without it
				ctx.Send(m.house.Clusters, messages.TakeBack{Settings: m.settings})
			}
			ctx.Send(m.house.Clusters, messages.StopAll{Reason: msg.Reason})
		}
	case linkSaved:
		if msg.err != nil {
			m.raise(ctx, messages.StateUnwritable{File: linkFile, Err: msg.err.Error()})
		}
	case *actor.Stopping, *actor.Restarting:
		m.letGo()
	case messages.ShareLeft:
		m.share = &msg.Share
	case messages.Fatal:
		m.fatal(ctx, msg)
	case messages.PermitRequest, messages.PermitReport, messages.PaceHandedOver, messages.SessionsMoved, messages.SessionsReported, messages.MasterError, beat: // nobody to tell
	case linkOpened: // of a dial that was given up, and its link with it
	case *actor.Terminated:
	default:
		m.Unexpected(ctx)
	}
}

func (m *MasterLink) dial(ctx actor.Context) {
	if m.stopping || !m.recalled && !m.remember(ctx) {
		return
	}
	send := world.Sender(ctx)
	o := m.options.Master
	m.tries++
	m.lease.from, m.lease.sent = time.Now(), nil
	m.cancel = m.W.Dial(transport.Target{URL: o.URL, Header: map[string]string{
		"authorization": o.Authorization.Reveal(), "source": o.Source, "instance": m.memory.Instance, "user-agent": "control/" + m.options.Version,
	}}, func(l transport.Link, err error) { send(linkOpened{l, err}) })
}

func (m *MasterLink) opened(ctx actor.Context, msg linkOpened) {
	m.cancel = nil
	if msg.err != nil {
		m.retry(ctx, msg.err, false)
		return
	}
	m.link, m.dropped, m.features, m.transit, m.steady, m.exact = msg.link, 0, nil, plan.Transit{}, plan.Transit{}, false
	m.Enter("greeting", m.greeting)
	m.In(ctx, greetWithin)
	send, link := world.Sender(ctx), msg.link
	link.Receive(
		func(b []byte) { send(linkFrame{link, bytes.Clone(b)}) },
		func(err error) { send(linkEnded{link, err}) })
}

// lost is the end of the link, whoever ended it.
func (m *MasterLink) lost(ctx actor.Context, err error) {
	up := m.State() != "greeting"
	if up {
		m.wasUp, m.said = true, ""
		if time.Since(m.upAt) >= steadyAfter {
			m.tries = 0
		}
	}
	m.unlink(ctx)
	m.retry(ctx, err, up)
}

// unlink forgets the link, and with it what MASTER must order anew. What is served goes on.
func (m *MasterLink) unlink(ctx actor.Context) {
	m.link, m.orders.held = nil, nil
	if m.settings.Token != "" {
		ctx.Send(m.house.Gate, m.settings) // with MASTER's clock as it was known last
	}
	ctx.Send(m.house.Gate, messages.LinkDown{})
	ctx.Send(m.house.Sessions, messages.ReportSessions{})
	m.Enter("dialing", m.dialing)
	ctx.Send(m.house.Clusters, m.leaseNow())
	if m.feared != nil {
		m.halt(ctx, *m.feared)
	}
}

// retry waits for the next dial, and says why there is no link: once for each reason. up: it ended a link that was up.
func (m *MasterLink) retry(ctx actor.Context, err error, up bool) {
	if m.stopping {
		return
	}
	var closed *transport.CloseError
	code := 0
	if errors.As(err, &closed) {
		code = closed.Code
	}
	wait := plan.RedialAfter(code, m.wasUp, m.tries, m.W.Rand())
	m.In(ctx, wait)
	if err.Error() == m.said {
		return
	}
	m.said = err.Error()
	switch {
	case plan.Refused(code):
		m.raise(ctx, messages.MasterRefusedUs{CloseCode: code, Err: err.Error()})
	case up:
		m.raise(ctx, messages.MasterLost{Err: err.Error(), CloseCode: code, RetryInMS: messages.Millis(wait)})
	default:
		m.raise(ctx, messages.MasterUnreachable{URL: m.options.Master.URL, Err: err.Error(), CloseCode: code, RetryInMS: messages.Millis(wait)})
	}
}

// drop ends the link ourselves, and dials again when it is time.
func (m *MasterLink) drop(ctx actor.Context, code int, why error) {
	m.link.Close(code, why.Error())
	m.lost(ctx, why)
}

// beat sends one heartbeat and asks for the next.
func (m *MasterLink) beat(ctx actor.Context) {
	if !m.announced(messages.FeatureHeartbeat) {
		return
	}
	m.seq++
	m.lease.asked(m.seq)
	m.send(ctx, messages.Heartbeat{Seq: m.seq, Ranges: m.standing.Ranges, Clusters: m.standing.Clusters, ShardsReady: m.standing.ShardsReady, Share: m.share})
	m.nextBeat(ctx)
}

// nextBeat asks for the next heartbeat, in place of one that was asked for before.
func (m *MasterLink) nextBeat(ctx actor.Context) {
	m.chain++
	m.After(ctx, plan.Jitter(m.interval, beatJitter, m.W.Rand()), beat{m.chain})
}

// letGo closes the link, or gives up the dial.
func (m *MasterLink) letGo() {
	if m.cancel != nil {
		m.cancel()
	}
	if m.link != nil {
		m.link.Close(0, "control stops")
	}
	m.cancel, m.link = nil, nil
	m.Leave()
}

// allStopped: no cluster is left, as ordered by an operator or by MASTER.
func (m *MasterLink) allStopped(ctx actor.Context) {
	for _, order := range m.orders.shutdowns {
		m.answer(ctx, messages.Ack{ID: order.ID, Op: new(messages.OpShutdown), State: string(messages.RangeStopped)})
	}
	m.orders.shutdowns, m.lease.stopping = nil, false
	m.unhold(ctx)
	if m.stopping {
		m.memory.Ranges, m.memory.Epochs = nil, nil
		m.save(ctx)
		ctx.Stop(ctx.Self())
	}
}

func (m *MasterLink) raise(ctx actor.Context, e messages.Event) { ctx.Send(m.house.Herald, e) }
