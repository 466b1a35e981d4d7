package gate

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Gate decides which of this machine's clusters may identify, and when.
//
//	pacing ──── LinkUp, with permits ────▶ asking
//	   ▲                                     │
//	   └──────────────── LinkDown ───────────┘
//
// pacing: it grants by its own Pacer, in this machine's slots if the fleet has several machines
// (PROTOCOL B3). asking: it sends every request and every report to MASTER. The time at which a
// bucket may be used is on disk before its permit is sent, so that the next run of CONTROL keeps
// the limits too.
type Gate struct {
	world.States
	addresses  world.Addresses
	options    Options
	settings   messages.Settings
	pacer      *plan.Pacer
	hold       time.Time               // its own Pacer grants nothing before
	requesters map[string]*actor.PID   // by the id of the request
	requests   map[string]plan.Want    // sent to MASTER and unanswered, or refused by the share
	deferred   map[string]time.Time    // when a refused request may be sent again, by its id
	out        map[string]*permit      // granted, not reported
	last       map[int]time.Time       // latest time at which each bucket was or may be used
	unsent     []*permit               // granted, not on disk
	storms     map[string]*storms      // of each cluster, by its id
	owed       []messages.PermitReport // of held buckets, for a MASTER that is away
	ownShare
	saving  bool
	stale   bool // gate.json differs from the state
	broken  bool // the last save failed
	saveDue bool // its timer runs
}

const gateFile = "gate.json"

// Messages of the gate to itself.
type (
	retryRequest struct {
		messages.MayBeLost
		id string
	}
	// saveDue is the time to repeat a failed save.
	saveDue   struct{ messages.MayBeLost }
	gateSaved struct {
		messages.MayBeLost
		permits []*permit
		share   messages.BudgetShare
		err     error
	}
	// permitDue reports that a permit may be used now.
	permitDue struct {
		messages.MayBeLost
		permit *permit
	}
)

// New returns the props of the Gate.
func New(w *world.World, addresses world.Addresses, o Options) *actor.Props {
	return w.Spawn("gate", func() actor.Actor {
		g := &Gate{addresses: addresses, options: o,
			requesters: map[string]*actor.PID{}, requests: map[string]plan.Want{}, deferred: map[string]time.Time{}, out: map[string]*permit{}, storms: map[string]*storms{}, last: map[int]time.Time{}}
		g.Begin(w, w.Log.With().Str("actor", "gate").Logger(), "pacing", g.pacing)
		return g
	})
}

func (g *Gate) pacing(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		g.load(ctx)
	case messages.LinkUp:
		ctx.Send(g.addresses.MasterLink, g.handOver()) // before any request: MASTER needs it to grant
		clear(g.deferred)
		if g.settings.Permits {
			g.ask(ctx)
		}
	case messages.LinkDown: // MASTER accepted the link and closed it before asking began
		g.next(ctx)
	case messages.WantPermit:
		if g.holdsBack(ctx, &m) {
			return
		}
		switch w := g.register(ctx, m); {
		case g.extend(ctx, w):
		case g.pacer.Adopt(w, time.Now()): // held by an earlier run of CONTROL
			g.grant(ctx, w, 0, 0, w.Hold)
		case !g.isDue(w.ID):
		default:
			g.pacer.Ask(w)
		}
		g.next(ctx)
	case messages.PermitUsed:
		_, known := g.pacer.Report(m.ID, m.Sent, time.Now(), time.Time{})
		g.owe(m)
		if g.used(ctx, m) && !known { // granted before this pacer was made
			g.pacer = g.newPacer()
		}
		g.next(ctx)
	case messages.PermitArrived:
		g.pacer.Arrived(m.ID, time.Now(), time.Time{})
		g.next(ctx)
	case messages.DropPermits:
		g.drop(m.Cluster)
		g.pacer.Drop(m.Cluster.String())
		maps.DeleteFunc(g.requests, func(_ string, w plan.Want) bool { return w.Owner == m.Cluster.String() })
		g.next(ctx)
	case retryRequest:
		if w, waiting := g.requests[m.id]; g.isDue(m.id) && waiting {
			delete(g.requests, m.id)
			g.pacer.Ask(w)
			g.next(ctx)
		}
	case world.Timeout:
		g.next(ctx)
	default:
		g.always(ctx)
	}
}

func (g *Gate) asking(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.LinkDown:
		g.pace(ctx)
	case messages.LinkUp: // the new link was reported before the old one's end
		clear(g.deferred)
		ctx.Send(g.addresses.MasterLink, g.handOver())
		if g.settings.Permits {
			g.ask(ctx)
		} else {
			g.pace(ctx)
		}
	case messages.WantPermit:
		if g.holdsBack(ctx, &m) {
			return
		}
		w := g.register(ctx, m)
		if !g.extend(ctx, w) {
			g.requests[w.ID] = w
		}
		g.request(ctx, w)
	case messages.PermitAnswer:
		g.answered(ctx, m)
	case messages.PermitUsed:
		g.used(ctx, m)
		ctx.Send(g.addresses.MasterLink, g.reportOf(m))
	case messages.PermitArrived:
		ctx.Send(g.addresses.MasterLink, messages.PermitReport{ID: m.ID, Sent: true, Arrived: true, Now: new(g.W.AtSteady(time.Now()))})
	case messages.DropPermits:
		g.drop(m.Cluster)
		for _, w := range g.waiting() {
			if w.Owner == m.Cluster.String() {
				g.used(ctx, messages.PermitUsed{ID: w.ID})
				ctx.Send(g.addresses.MasterLink, messages.PermitReport{ID: w.ID, Sent: false})
			}
		}
	case retryRequest:
		if w, waiting := g.requests[m.id]; g.isDue(m.id) && waiting {
			g.request(ctx, w)
		}
	case world.Timeout: // after a panic, which may have lost an answer
		g.ask(ctx)
	default:
		g.always(ctx)
	}
}

// always handles the messages that both states treat alike.
func (g *Gate) always(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.Settings:
		g.configure(ctx, m)
	case gateSaved:
		g.saved(ctx, m)
	case saveDue:
		if g.saveDue = false; g.broken {
			g.stale = true
		}
		g.save(ctx)
	case messages.BudgetShare:
		g.take(ctx, m)
	case permitDue:
		g.deliver(ctx, m.permit)
	case messages.ResetBudget:
		delete(g.storms, m.Cluster.String())
	case world.Recovered:
		g.saving, g.stale, g.unsent = false, true, slices.Collect(maps.Values(g.out)) // a requester ignores a second copy of its permit
		g.save(ctx)
		g.In(ctx, time.Second)
	case messages.LinkDown, messages.PermitAnswer, retryRequest: // of the other state
	default:
		g.Unexpected(ctx)
	}
}

// load reads gate.json of the previous run of CONTROL. If it cannot be read, or is missing although
// this machine had bots, any bucket may have been used just now.
func (g *Gate) load(ctx actor.Context) {
	g.pacer = plan.NewPacer(1, g.options.TTL, g.options.Margin)
	var state gateState
	found, err := g.W.Read(gateFile, &state)
	switch {
	case err != nil:
	case !found:
		err = g.lost()
	case state.LastIdentify == nil:
		err = errors.New("it has no last_identify")
	}
	if err != nil {
		g.Log.Warn().Err(err).Str("file", gateFile).Msg("cannot read the last identifies; waiting as if they were now")
		state = gateState{LastIdentify: map[int]messages.UnixMillis{0: g.W.AtWall(time.Now().Add(g.options.TTL))}}
		g.unread = true
	}
	g.settings.MaxConcurrency = state.MaxConcurrency
	for bucket, at := range state.LastIdentify {
		g.last[bucket] = g.pacer.Believed(g.W.FromWall(at), time.Now(), plan.HoldFor) // the clock may have been wrong, or may be now
	}
	g.recall(state.Holds)
	g.share, g.onDisk = state.Share, state.Share
	g.reportShare(ctx)
}

// ofBots matches the names of files that only a machine with bots has: what it serves, and what is
// kept for each cluster.
var ofBots = regexp.MustCompile(`^(link|[a-z]+-[0-9]+)\.json$`)

// lost returns why a missing gate.json was lost; nil: this is a new installation.
func (g *Gate) lost() error {
	if g.options.Survivors {
		return errors.New("it is missing, but bots of an earlier run of CONTROL may be running")
	}
	names, err := g.W.List()
	for _, name := range names {
		if ofBots.MatchString(name) {
			return fmt.Errorf("it is missing, but %s of an earlier run of CONTROL is there", name)
		}
	}
	return err
}

// configure takes the fleet's settings. Another max_concurrency means other buckets: the latest use
// of any bucket then counts for all.
func (g *Gate) configure(ctx actor.Context, s messages.Settings) {
	if s.MaxConcurrency != g.settings.MaxConcurrency {
		var latest time.Time
		for _, at := range g.last {
			if at.After(latest) {
				latest = at
			}
		}
		clear(g.last)
		if !latest.IsZero() {
			for bucket := range s.MaxConcurrency {
				g.last[bucket] = latest
			}
		}
	}
	first := g.settings.ShardCount == 0
	g.settings = s
	if g.unread && g.share.ID != s.Lent.ID { // all of it may be spent; the file may be readable again, and hold more
		g.share = s.Lent
		g.share.Remaining = 0
		g.stale = true
		g.save(ctx)
	}
	if g.State() != "pacing" {
		return
	}
	g.pacer = g.newPacer()
	if first && s.Place.Of > 1 { // of an earlier run: what MASTER granted since is unknown
		g.holdForGranted()
	}
	if !s.Permits { // else LinkUp follows
		g.next(ctx)
	}
}

// newPacer returns a Pacer for the present settings with the waiting requests, which knows every
// bucket's use and the permits that are out.
func (g *Gate) newPacer() *plan.Pacer {
	p := plan.NewPacer(max(g.settings.MaxConcurrency, 1), g.options.TTL, g.options.Margin)
	p.Alone(g.settings.Place, g.settings.SlotsAhead)
	p.Hold(g.hold)
	for bucket, at := range g.last {
		p.Used(bucket, at)
	}
	for _, w := range g.waiting() {
		if g.isDue(w.ID) {
			p.Ask(w)
		}
	}
	return p
}

// pace returns from asking to pacing: MASTER is away. Nothing is granted before every permit that
// MASTER granted to any machine is over (PROTOCOL B3).
func (g *Gate) pace(ctx actor.Context) {
	g.Enter("pacing", g.pacing)
	clear(g.deferred)
	g.pacer = g.newPacer()
	clear(g.requests)
	g.holdForGranted() // also on a single machine: MASTER may have admitted others since
	g.next(ctx)
}

// holdForGranted grants nothing until every permit that MASTER granted to any machine is over.
func (g *Gate) holdForGranted() {
	g.hold = time.Now().Add(plan.Lead + g.options.TTL + plan.IdentifyEvery + g.options.Margin)
	g.pacer.Hold(g.hold)
}

// waiting lists the requests that are not granted, oldest first.
func (g *Gate) waiting() []plan.Want {
	all := slices.Clone(g.pacer.Waiting())
	for _, w := range g.requests {
		if !slices.ContainsFunc(all, func(o plan.Want) bool { return o.ID == w.ID }) {
			all = append(all, w)
		}
	}
	slices.SortFunc(all, func(a, b plan.Want) int {
		if d := a.Since.Compare(b.Since); d != 0 {
			return d
		}
		return a.Shard - b.Shard
	})
	return all
}

// register notes the requester of a permit and returns its request.
func (g *Gate) register(ctx actor.Context, m messages.WantPermit) plan.Want {
	g.requesters[m.ID] = ctx.Sender()
	return plan.Want{ID: m.ID, Owner: m.Cluster.String(), Shard: m.Shard, Cause: m.Cause, Since: time.Now(), Hold: m.Hold, Identifies: m.Identifies, Kept: m.Kept}
}

// next grants what its own Pacer allows now. It grants nothing before the fleet's settings are
// known, from MASTER or from an earlier run of CONTROL.
func (g *Gate) next(ctx actor.Context) {
	if g.settings.ShardCount == 0 || g.settings.Halted {
		return
	}
	now := g.W.Now()
	grants, wake := g.pacer.Next(now)
	freed := false
	for _, grant := range grants {
		if !g.affords(ctx, grant.Want) {
			g.refuse(ctx, grant.Want)
			freed = true
			continue
		}
		g.grant(ctx, grant.Want, g.pay(grant.Want), 0, grant.UseWithin)
	}
	switch {
	case freed:
		g.next(ctx)
	case !wake.IsZero():
		g.In(ctx, wake.Sub(now))
	}
}
