package router

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
)

// Router carries what clusters say to each other by way of CONTROL (PROTOCOL A4, B2). It has one
// state.
//
//	cluster 0 ──MESSAGE──▶ Router ──▶ each cluster addressed, as it came
//	cluster 0 ──request──▶ Router ──its own event_id──▶ each cluster addressed, once
//	cluster 0 ◀──one answer── Router ◀──answers──┘  errors for who is not here, still starts, reads too slowly, died, or was not in time
//
// A frame goes from the link's reader straight to this mailbox and from here into the links of those it is for: no Cluster handles it, and what is in it is never decoded.
// Every request is answered by its deadline. A link takes a few MiB for a bot that does not read; more is refused, counted, and told to the sender and to people.
type Router struct {
	world.States
	addresses world.Addresses
	options   Options
	mint      *messages.Mint

	conns    map[transport.Link]*Conn
	seats    map[messages.ClusterID]*Conn                 // who answered HELLO, and can be asked
	states   map[messages.ClusterID]messages.ClusterState // of the clusters of this machine, for the texts of errors
	fleet    FleetShape
	asks     map[string]*ask      // by the event_id that we gave
	held     int                  // bytes of results that wait for others
	next     time.Time            // when the timeout that is set is due; zero: none is
	round    int                  // of pick, so that each conn is picked once
	picked   []*Conn              // of the present round
	results  [][]byte             // room for those of an answer; not nil: none is an empty list
	clusters []messages.ClusterID // and for whose they are
	rest     plan.RestBudget
}

// RouterOptions is what clusters may ask of each other.
type Options struct {
	Eval bool // BROADCAST_EVAL: code that one cluster gives to others
}

// fleetShape is what tells a shard's cluster.
type FleetShape struct{ Shards, PerCluster int }

// conn is one link to one life of a cluster.
type Conn struct {
	Cluster messages.ClusterID
	Shards  messages.ShardRange
	Link    transport.Link
	Stock   bool // it did not announce our protocol
	asking  int  // its requests that are not answered
	round   int
	refused int       // frames for it since that was said
	sayAt   time.Time // when it may be said again
}

// Limits of the Router.
const (
	asksMax      = 1024                  // unanswered requests of one cluster
	resultsMax   = codec.MaxFrame        // bytes of the results of one request: they become one frame
	resultsRoom  = 64 << 10              // of it, for what stands around them
	waitMax      = 8 * resultsMax        // bytes of results that wait, of all requests
	overflowSaid = time.Minute           // at least between two events about one cluster
	emergencyMax = 24 * time.Hour        // how long an emergency may block
	DeepSleep    = 1 * time.Second       // a timer that is so late proves that we slept
	managerID    = messages.ManagerShard // CONTROL itself, as a target (PROTOCOL A1, SHARDING_MANAGER_ID)
)

// What a Cluster tells the Router of its link, and what comes by it. Each names the link it speaks of.
type (
	ConnOpened struct { // before any frame of it
		Conn  Conn
		Fleet FleetShape
	}
	ConnGreeted struct { // it answered HELLO: no request may reach a bot before (PROTOCOL A1)
		Link  transport.Link
		Stock bool
	}
	ConnEnded struct{ link transport.Link }
	Routed    struct {
		Link     transport.Link
		Parcel   codec.Parcel
		Envelope actor.MessageEnvelope // of it: protoactor would make one
	}
)

// spareRouted are those that were dealt with. Each would be a kilobyte of garbage, and there are many.
var SpareRouted = sync.Pool{New: func() any {
	m := &Routed{}
	m.Envelope.Message = m
	return m
}}

// These may come after CONTROL has stopped; that is no news.
func (ConnOpened) IgnoreDeadLetterLogging()  {}
func (ConnGreeted) IgnoreDeadLetterLogging() {}
func (ConnEnded) IgnoreDeadLetterLogging()   {}
func (*Routed) IgnoreDeadLetterLogging()     {}

// New returns the props of the Router; pid is CONTROL's own, the worker field of its snowflakes.
func New(w *world.World, addresses world.Addresses, o Options, pid int) *actor.Props {
	return w.SpawnOn(newLentMailbox, "router", func() actor.Actor {
		r := &Router{addresses: addresses, options: o, mint: &messages.Mint{Worker: uint32(pid)}, conns: map[transport.Link]*Conn{},
			seats: map[messages.ClusterID]*Conn{}, states: map[messages.ClusterID]messages.ClusterState{}, asks: map[string]*ask{},
			results: [][]byte{}, clusters: []messages.ClusterID{}}
		r.Begin(w, w.Log.With().Str("actor", "router").Logger(), "routing", r.routing)
		return r
	})
}

func (r *Router) routing(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *Routed:
		link := m.Link
		defer link.Ack()
		if from := r.conns[m.Link]; from != nil {
			r.route(ctx, from, &m.Parcel)
		}
		m.Link = nil
		SpareRouted.Put(m)
	case ConnOpened:
		r.fleet = m.Fleet
		r.conns[m.Conn.Link] = &m.Conn
	case ConnGreeted:
		if l := r.conns[m.Link]; l != nil {
			l.Stock = m.Stock
			r.seats[l.Cluster] = l
		}
	case ConnEnded:
		r.ended(ctx, m.link)
	case *actor.Started:
		ctx.Request(r.addresses.Events, messages.Subscribe{})
	case messages.ClusterMoved:
		r.states[m.Cluster] = m.State
	case messages.Event: // of others
	case world.Timeout:
		r.due(ctx, time.Since(m.Due))
	case world.Recovered:
		r.due(ctx, 0)
	case *actor.Stopping:
		r.Leave()
	default:
		r.Unexpected(ctx)
	}
}

// route does with a parcel what its kind wants.
func (r *Router) route(ctx actor.Context, from *Conn, p *codec.Parcel) {
	switch {
	case p.Op == messages.IPCEmergency:
		r.emergency(ctx, p)
	case p.Op == messages.IPCDispatch && p.T == messages.TRestLimitsSync:
		r.spent(ctx, p.Success)
	case p.Answer:
		r.answered(ctx, from, p)
	case p.T == messages.TMessage || p.T == messages.TPresenceUpdate:
		r.pass(ctx, from, p)
	default:
		r.ask(ctx, from, p)
	}
}

// pass hands on what nobody answers. A sender of our protocol is told whom it did not reach.
func (r *Router) pass(ctx actor.Context, from *Conn, p *codec.Parcel) {
	if p.Wrong != nil {
		r.refuse(ctx, from, p, p.Wrong.Error())
		return
	}
	presence := p.T == messages.TPresenceUpdate
	to, failed := r.pick(p, from)
	event := p.Event()
	if presence {
		event = slices.Clone(event)
		p.SetEvent(string(r.mint.New(time.Now(), managerID)))
	}
	for _, l := range to {
		frame := p.Frame()
		if presence { // a stock bot takes any shard of the list for its own
			frame = p.For(slices.DeleteFunc(slices.Clone(p.Targets), func(s int) bool { return !l.Shards.Contains(s) }))
		}
		if err := r.offer(ctx, l, frame); err != nil {
			failed = append(failed, codec.TargetError{Cluster: l.Cluster, Err: err.Error()})
		}
	}
	if len(failed) > 0 && !from.Stock {
		_ = r.offer(ctx, from, codec.Reply{Op: messages.IPCError, T: p.T, Event: event, Errors: failed}.Encode())
	}
}

// pick finds whom a parcel is for, each cluster once and in the order they are named, and why the
// rest cannot be reached. What it gives is good until it is called again. To a stock sender a
// cluster that does not exist is nothing to tell: its "all" are as many clusters as there are
// shards (PROTOCOL A4).
func (r *Router) pick(p *codec.Parcel, from *Conn) ([]*Conn, []codec.TargetError) {
	var failed []codec.TargetError
	r.round++
	r.picked = r.picked[:0]
	missed := map[messages.ClusterID]bool(nil)
	for _, target := range p.Targets {
		id := messages.ClusterID(target)
		if p.ByShard {
			id = messages.ClusterID(target / max(r.fleet.PerCluster, 1))
		}
		l := r.seats[id]
		switch {
		case l != nil && l.round == r.round:
			continue
		case l != nil && (!p.ByShard || l.Shards.Contains(target)):
			l.round = r.round
			r.picked = append(r.picked, l)
			continue
		case missed[id]:
			continue
		}
		why := r.missing(id, p.ByShard, target)
		if why == "" && from.Stock {
			continue
		}
		if missed == nil {
			missed = map[messages.ClusterID]bool{}
		}
		missed[id] = true
		e := codec.TargetError{Cluster: id, Err: why}
		if why == "" {
			e.Err = fmt.Sprintf("there is none: the fleet has %d shards, %d a cluster", r.fleet.Shards, r.fleet.PerCluster)
		}
		if p.ByShard {
			e.Shard = new(target)
		}
		failed = append(failed, e)
	}
	return r.picked, failed
}

// missing is why a cluster has no seat; "" where there is no such cluster.
func (r *Router) missing(id messages.ClusterID, byShard bool, target int) string {
	state, here := r.states[id]
	switch {
	case !byShard && id == managerID:
		return "CONTROL itself: it runs no code and handles no request of clusters"
	case byShard && target >= r.fleet.Shards || int(id)*r.fleet.PerCluster >= r.fleet.Shards:
		return ""
	case !here || r.seats[id] != nil: // a range may begin within a cluster
		return "not on this machine, and CONTROLs carry nothing to each other yet"
	}
	switch state {
	case messages.ClusterServing, messages.ClusterConnecting:
		return "its link to CONTROL is lost"
	case messages.ClusterWaiting:
		return "it died, and is about to be started again"
	case messages.ClusterStopped:
		return "it is stopped"
	case messages.ClusterFailed, messages.ClusterDetached:
		return "it failed, and is not restarted"
	case messages.ClusterDraining, messages.ClusterKilling:
		return "it is stopping"
	}
	return "it is starting"
}

// ended is the end of a conn: whoever waits for its answer waits no more.
func (r *Router) ended(ctx actor.Context, link transport.Link) {
	l := r.conns[link]
	if l == nil {
		return
	}
	delete(r.conns, link)
	if r.seats[l.Cluster] == l {
		delete(r.seats, l.Cluster)
	}
	for _, id := range slices.Sorted(maps.Keys(r.asks)) {
		a := r.asks[id]
		if a.from == l {
			r.forget(a)
			continue
		}
		for i := range a.targets {
			if t := &a.targets[i]; t.conn == l && t.waits {
				r.fail(a, t, "it went away before it answered")
			}
		}
		r.settle(ctx, a)
	}
}

// offer puts a frame on a conn, unless it reads too slowly: that is counted, and said.
func (r *Router) offer(ctx actor.Context, l *Conn, frame []byte) error {
	err := l.Link.Offer(frame)
	if errors.Is(err, transport.ErrBusy) {
		l.refused++
		r.tellOverflow(ctx, l, err)
		r.arm(ctx, l.sayAt)
	}
	return err
}

// tellOverflow says, at most once in a while for each conn, how many frames were refused since.
func (r *Router) tellOverflow(ctx actor.Context, l *Conn, err error) {
	now := time.Now()
	if l.refused == 0 || now.Before(l.sayAt) {
		return
	}
	e := messages.OperationsRefused{Cluster: l.Cluster, Refused: l.refused}
	if err != nil {
		e.Err = err.Error()
	}
	ctx.Send(r.addresses.Events, e)
	l.refused, l.sayAt = 0, now.Add(overflowSaid)
}

// emergency is a cluster's news that Discord's REST API refuses everybody: all of this machine hear
// of it, as upstream's manager does (PROTOCOL A4).
func (r *Router) emergency(ctx actor.Context, p *codec.Parcel) {
	now := time.Now()
	if until := r.W.FromWall(p.Until); until.After(now) && until.Before(now.Add(emergencyMax)) {
		r.rest.Block(until)
		r.alarm(ctx, plan.GlobalRateLimitHit, p.Until)
	}
}

// spent counts one request to Discord's REST API.
func (r *Router) spent(ctx actor.Context, success bool) {
	if which, until, near := r.rest.Spend(success, time.Now()); near {
		r.alarm(ctx, which, r.W.AtWall(until))
	}
}

// alarm tells every cluster of an emergency.
func (r *Router) alarm(ctx actor.Context, which plan.Emergency, until messages.UnixMillis) {
	frame, err := codec.EncodeFromManager(messages.Operation{Op: messages.IPCEmergency, Data: fmt.Appendf(nil, `{"op":%d,"block_until":%d}`, which, until)})
	if err != nil {
		panic(err) // two numbers
	}
	for _, id := range slices.Sorted(maps.Keys(r.seats)) {
		_ = r.offer(ctx, r.seats[id], frame)
	}
}
