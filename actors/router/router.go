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

// Router passes messages and requests between clusters (PROTOCOL A4, B2). It has one state.
//
//	cluster 0 ──MESSAGE──▶ Router ──▶ each cluster addressed, as it came
//	cluster 0 ──request──▶ Router ──its own event_id──▶ each cluster addressed, once
//	cluster 0 ◀──one answer── Router ◀──answers──┘  errors for clusters that are absent, starting, too slow, dead or late
//
// A frame goes from the link's reader straight to this mailbox and from here into the links of its
// targets: no Cluster handles it, and its content is not decoded. Every request is answered by its
// deadline. A link holds a few MiB for a bot that does not read; more is refused, counted, and
// reported to the sender and as an event.
type Router struct {
	world.States
	addresses world.Addresses
	options   Options
	mint      *messages.Mint

	conns     map[transport.Link]*Conn
	reachable map[messages.ClusterID]*Conn                 // those that answered HELLO
	states    map[messages.ClusterID]messages.ClusterState // of the clusters of this machine, for the texts of errors
	fleet     FleetShape
	requests  map[string]*request  // by CONTROL's event_id
	held      int                  // bytes of results of unsettled requests
	timeoutAt time.Time            // zero: no timeout is set
	round     int                  // number of the last pick, so that each conn is picked once
	picked    []*Conn              // the result of the last pick
	results   [][]byte             // reused for the results of an answer; never nil, so that none is an empty list
	clusters  []messages.ClusterID // reused for their clusters
	rest      plan.RestBudget
	operator  Conn // CONTROL itself as a requester
}

// Options sets what clusters may request of each other.
type Options struct {
	Eval     bool // allow BROADCAST_EVAL: code that one cluster runs on others
	Linkless bool // the clusters speak no protocol: they have no link to CONTROL
}

// FleetShape gives the cluster of a shard.
type FleetShape struct{ Shards, PerCluster int }

// Conn is one link to one run of a cluster.
type Conn struct {
	Cluster  messages.ClusterID
	Shards   messages.ShardRange
	Link     transport.Link
	Stock    bool // it did not announce CONTROL's protocol
	asking   int  // its unanswered requests
	round    int
	refused  int       // frames for it since the last report
	reportAt time.Time // when the next report is allowed
}

// Limits of the Router.
const (
	requestsMax   = 1024                  // unanswered requests of one cluster
	resultsMax    = codec.MaxFrame        // bytes of the results of one request: they become one frame
	resultsRoom   = 64 << 10              // of it, for the rest of the frame
	waitMax       = 8 * resultsMax        // bytes of results of all unsettled requests
	overflowEvery = time.Minute           // the least time between two events about one cluster
	emergencyMax  = 24 * time.Hour        // the longest block of an emergency
	DeepSleep     = 1 * time.Second       // a timer that late means that this machine was suspended
	managerID     = messages.ManagerShard // CONTROL itself, as a target (PROTOCOL A1, SHARDING_MANAGER_ID)
)

// Messages of a Cluster about its link, and the operations that come by it. Each names its link.
type (
	ConnOpened struct { // before any frame of it
		messages.MayBeLost
		Conn  Conn
		Fleet FleetShape
	}
	ConnGreeted struct { // it answered HELLO: no request may reach a bot before (PROTOCOL A1)
		messages.MayBeLost
		Link  transport.Link
		Stock bool
	}
	connEnded struct {
		messages.MayBeLost
		link transport.Link
	}
	Routed struct {
		messages.MayBeLost
		Link     transport.Link
		Parcel   codec.Parcel
		Envelope actor.MessageEnvelope // of this message: protoactor would allocate one
	}
)

// spareRouted pools handled Routed: each would be a kilobyte of garbage, and there are many.
var spareRouted = sync.Pool{New: func() any {
	m := &Routed{}
	m.Envelope.Message = m
	return m
}}

// New returns the props of the Router; pid is CONTROL's own, the worker field of its snowflakes.
func New(w *world.World, addresses world.Addresses, o Options, pid int) *actor.Props {
	return w.SpawnOn(newLentMailbox, "router", func() actor.Actor {
		r := &Router{addresses: addresses, options: o, mint: &messages.Mint{Worker: uint32(pid)}, conns: map[transport.Link]*Conn{},
			reachable: map[messages.ClusterID]*Conn{}, states: map[messages.ClusterID]messages.ClusterState{}, requests: map[string]*request{},
			results: [][]byte{}, clusters: []messages.ClusterID{}, operator: Conn{Cluster: managerID, Link: &operator{waiting: map[string]func(messages.AskAnswer){}}}}
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
		spareRouted.Put(m)
	case ConnOpened:
		r.fleet = m.Fleet
		r.conns[m.Conn.Link] = &m.Conn
	case ConnGreeted:
		if l := r.conns[m.Link]; l != nil {
			l.Stock = m.Stock
			r.reachable[l.Cluster] = l
		}
	case connEnded:
		r.ended(ctx, m.link)
	case *actor.Started:
		ctx.Request(r.addresses.Events, messages.Subscribe{})
	case messages.ClusterMoved:
		r.states[m.Cluster] = m.State
		if m.State == messages.ClusterGone {
			delete(r.states, m.Cluster)
		}
	case messages.Ask:
		r.ask(ctx, m)
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

// route handles a parcel by its kind.
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
		r.request(ctx, from, p)
	}
}

// pass passes on a message that has no answer. A sender of CONTROL's protocol gets an error for
// each target that was not reached.
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
		if presence { // a stock bot takes every shard of the list as its own
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

// pick returns the conns of a parcel's targets, each cluster once and in the order they are named,
// and errors for the targets that cannot be reached. The conns are valid until the next pick. A
// stock sender gets no error for a cluster that does not exist: its "all" names as many clusters as
// there are shards (PROTOCOL A4).
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
		l := r.reachable[id]
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

// missing returns why a cluster is not reachable, or "" if there is no such cluster.
func (r *Router) missing(id messages.ClusterID, byShard bool, target int) string {
	state, here := r.states[id]
	switch {
	case !byShard && id == managerID:
		return "CONTROL itself: it runs no code and handles no request of clusters"
	case byShard && target >= r.fleet.Shards || !here && int(id)*r.fleet.PerCluster >= r.fleet.Shards:
		return ""
	case !here || r.reachable[id] != nil: // a range may begin within a cluster
		return "not on this machine, and machines pass nothing to each other"
	}
	switch state {
	case messages.ClusterServing, messages.ClusterConnecting:
		if r.options.Linkless {
			return "it has no link to CONTROL: its bot speaks no protocol (cluster.protocol: env)"
		}
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

// ended removes a conn and fails the requests that wait for its answer.
func (r *Router) ended(ctx actor.Context, link transport.Link) {
	l := r.conns[link]
	if l == nil {
		return
	}
	delete(r.conns, link)
	if r.reachable[l.Cluster] == l {
		delete(r.reachable, l.Cluster)
	}
	for _, id := range slices.Sorted(maps.Keys(r.requests)) {
		a := r.requests[id]
		if a.from == l {
			r.forget(a)
			continue
		}
		for i := range a.targets {
			if t := &a.targets[i]; t.conn == l && t.waiting {
				r.fail(a, t, "it went away before it answered")
			}
		}
		r.settle(ctx, a)
	}
}

// offer puts a frame on a conn. It counts and reports frames that a slow reader refuses.
func (r *Router) offer(ctx actor.Context, l *Conn, frame []byte) error {
	err := l.Link.Offer(frame)
	if errors.Is(err, transport.ErrBusy) {
		l.refused++
		r.reportOverflow(ctx, l, err)
		r.arm(ctx, l.reportAt)
	}
	return err
}

// reportOverflow reports how many frames were refused since the last report of the conn, at most
// every overflowEvery.
func (r *Router) reportOverflow(ctx actor.Context, l *Conn, err error) {
	now := time.Now()
	if l.refused == 0 || now.Before(l.reportAt) {
		return
	}
	e := messages.OperationsRefused{Cluster: l.Cluster, Refused: l.refused}
	if err != nil {
		e.Err = err.Error()
	}
	ctx.Send(r.addresses.Events, e)
	l.refused, l.reportAt = 0, now.Add(overflowEvery)
}

// emergency passes a cluster's report that Discord's REST API refuses all requests on to all
// clusters of this machine, as upstream's manager does (PROTOCOL A4).
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

// alarm sends an emergency to every cluster.
func (r *Router) alarm(ctx actor.Context, which plan.Emergency, until messages.UnixMillis) {
	frame, err := codec.EncodeFromManager(messages.Operation{Op: messages.IPCEmergency, Data: fmt.Appendf(nil, `{"op":%d,"block_until":%d}`, which, until)})
	if err != nil {
		panic(err) // two numbers
	}
	for _, id := range slices.Sorted(maps.Keys(r.reachable)) {
		_ = r.offer(ctx, r.reachable[id], frame)
	}
}
