package gate

import (
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// IdentifyGate decides who of this machine's clusters may identify, and when.
//
//	pacing ──── LinkUp, with permits ────▶ asking
//	   ▲                                     │
//	   └──────────────── LinkDown ───────────┘
//
// pacing: it grants by its own Pacer, in the machine's slots where there are several machines
// (PROTOCOL B3). asking: every wish goes to MASTER, and every report too. When a bucket may be used
// is on disk before its permit is given, so that the next life of CONTROL breaks no limit of this
// one.
type Gate struct {
	world.States
	addresses world.Addresses
	options   Options
	settings  messages.Settings
	pacer     *plan.Pacer
	hold      time.Time               // by our own pace nothing is granted before
	askers    map[string]*actor.PID   // who waits, by the id of the wish
	wishes    map[string]plan.Want    // asked of MASTER, not answered
	putOff    map[string]time.Time    // when a wish may be asked for again that was refused, by its id
	out       map[string]*permit      // granted, not reported
	last      map[int]time.Time       // when each bucket was, or may yet be, used last
	unsent    []*permit               // granted, not on disk
	storms    map[string]*storms      // of each cluster, by its id
	owed      []messages.PermitReport // of buckets that were kept, for a MASTER that is away
	ownShare
	saving bool
	stale  bool // what is on disk keeps more than is kept
	broken bool // the last save failed
}

const gateFile = "gate.json"

// What the gate tells itself.
type (
	retryWish struct{ id string }
	gateSaved struct {
		permits []*permit
		share   messages.Share
		err     error
	}
	// ripe: a permit may be used now.
	ripe struct{ permit *permit }
)

// These may come after CONTROL has stopped; that is no news.
func (retryWish) IgnoreDeadLetterLogging() {}
func (gateSaved) IgnoreDeadLetterLogging() {}
func (ripe) IgnoreDeadLetterLogging()      {}

// New returns the props of the Gate.
func New(w *world.World, addresses world.Addresses, o Options) *actor.Props {
	return w.Spawn("gate", func() actor.Actor {
		g := &Gate{addresses: addresses, options: o,
			askers: map[string]*actor.PID{}, wishes: map[string]plan.Want{}, putOff: map[string]time.Time{}, out: map[string]*permit{}, storms: map[string]*storms{}, last: map[int]time.Time{}}
		g.Begin(w, w.Log.With().Str("actor", "gate").Logger(), "pacing", g.pacing)
		return g
	})
}

func (g *Gate) pacing(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		g.load(ctx)
	case messages.LinkUp:
		ctx.Send(g.addresses.MasterLink, g.handOver()) // before any request: MASTER must know it when it grants
		clear(g.putOff)
		if g.settings.Permits {
			g.ask(ctx)
		}
	case messages.LinkDown: // MASTER greeted us, and went
		g.next(ctx)
	case messages.WantPermit:
		if g.holdsBack(ctx, &m) {
			return
		}
		switch w := g.wish(ctx, m); {
		case g.extend(ctx, w):
		case g.pacer.Adopt(w, time.Now()): // of an earlier life
			g.give(ctx, w, 0, 0, w.Hold)
		case !g.isDue(w.ID):
		default:
			g.pacer.Ask(w)
		}
		g.next(ctx)
	case messages.PermitUsed:
		_, known := g.pacer.Report(m.ID, m.Sent, time.Now(), time.Time{})
		g.owe(m)
		if g.used(ctx, m) && !known { // granted before this pacer was there
			g.pacer = g.newPacer()
		}
		g.next(ctx)
	case messages.PermitArrived:
		g.pacer.Arrived(m.ID, time.Now(), time.Time{})
		g.next(ctx)
	case messages.DropPermits:
		g.drop(m.Cluster)
		g.pacer.Drop(m.Cluster.String())
		maps.DeleteFunc(g.wishes, func(_ string, w plan.Want) bool { return w.Owner == m.Cluster.String() })
		g.next(ctx)
	case retryWish:
		if w, waits := g.wishes[m.id]; g.isDue(m.id) && waits {
			delete(g.wishes, m.id)
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
	case messages.LinkUp: // a new link before we heard of the old one's end
		clear(g.putOff)
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
		w := g.wish(ctx, m)
		if !g.extend(ctx, w) {
			g.wishes[w.ID] = w
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
	case retryWish:
		if w, waits := g.wishes[m.id]; g.isDue(m.id) && waits {
			g.request(ctx, w)
		}
	case world.Timeout: // after a panic: an answer may be what was lost
		g.ask(ctx)
	default:
		g.always(ctx)
	}
}

// always is what both states do with what they do not name.
func (g *Gate) always(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.Settings:
		g.configure(ctx, m)
	case gateSaved:
		g.saved(ctx, m)
	case messages.Share:
		g.take(ctx, m)
	case ripe:
		g.hand(ctx, m.permit)
	case messages.ResetBudget:
		delete(g.storms, m.Cluster.String())
	case world.Recovered:
		g.saving, g.stale, g.unsent = false, true, slices.Collect(maps.Values(g.out)) // who has its permit takes no second one
		g.save(ctx)
		g.In(ctx, time.Second)
	case messages.LinkDown, messages.PermitAnswer, retryWish: // of the other state
	default:
		g.Unexpected(ctx)
	}
}

// load takes over what the last life left. A file that cannot be read means that any bucket may just have been used.
func (g *Gate) load(ctx actor.Context) {
	g.pacer = plan.NewPacer(1, g.options.TTL, g.options.Margin)
	data, err := g.W.Load(gateFile)
	var state gateState
	if err == nil && data != nil {
		err = json.Unmarshal(data, &state)
	}
	if err != nil {
		g.Log.Warn().Err(err).Str("file", gateFile).Msg("last identifies are not known; waiting as if they were now")
		state = gateState{LastIdentify: map[int]messages.UnixMillis{0: g.W.AtWall(time.Now().Add(g.options.TTL))}}
		g.unread = true
	}
	g.settings.MaxConcurrency = state.MaxConcurrency
	for bucket, at := range state.LastIdentify {
		g.last[bucket] = g.pacer.Believed(g.W.FromWall(at), time.Now(), plan.HoldFor) // the clock may have been wrong, or be
	}
	g.recall(state.Holds)
	g.share, g.onDisk = state.Share, state.Share
	g.reportShare(ctx)
}

// configure takes the fleet's settings. With another max_concurrency the buckets are others, and the last use of any counts for all.
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
	if g.unread { // all of it may be spent
		g.share = s.Lent
		g.share.Remaining = 0
		g.onDisk = g.share
		g.reportShare(ctx)
	}
	if g.State() != "pacing" {
		return
	}
	g.pacer = g.newPacer()
	if first && s.Place.Of > 1 { // an earlier life's: what MASTER granted to anybody meanwhile is not known
		g.holdForGranted()
	}
	if !s.Permits { // else LinkUp follows
		g.next(ctx)
	}
}

// newPacer paces with the present settings what waits now, knowing what was used, and what is granted and may be used yet.
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

// pace is the way back from asking: MASTER is away, and nothing is sent before what it granted to
// anybody is over (PROTOCOL B3).
func (g *Gate) pace(ctx actor.Context) {
	g.Enter("pacing", g.pacing)
	clear(g.putOff)
	g.pacer = g.newPacer()
	clear(g.wishes)
	g.holdForGranted() // also where we believe ourselves alone: MASTER may have let others in since it told us
	g.next(ctx)
}

// holdForGranted waits until whatever MASTER granted to anybody is used and over.
func (g *Gate) holdForGranted() {
	g.hold = time.Now().Add(plan.Lead + g.options.TTL + plan.IdentifyEvery + g.options.Margin)
	g.pacer.Hold(g.hold)
}

// waiting is every wish not granted yet, in the order of its age.
func (g *Gate) waiting() []plan.Want {
	all := slices.Clone(g.pacer.Waiting())
	for _, w := range g.wishes {
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

func (g *Gate) wish(ctx actor.Context, m messages.WantPermit) plan.Want {
	g.askers[m.ID] = ctx.Sender()
	return plan.Want{ID: m.ID, Owner: m.Cluster.String(), Shard: m.Shard, Cause: m.Cause, Since: time.Now(), Hold: m.Hold, Identifies: m.Identifies, Kept: m.Kept}
}

// next gives what the own pacer grants now: nothing before the fleet's settings are known, this life's or an earlier one's.
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
		g.give(ctx, grant.Want, g.pay(grant.Want), 0, grant.UseWithin)
	}
	switch {
	case freed:
		g.next(ctx)
	case !wake.IsZero():
		g.In(ctx, wake.Sub(now))
	}
}
