package master

import (
	"fmt"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// This file is who serves what: what nobody serves is given away, and what a machine says it serves is its own unless another one was given it.

// connectMax is how many shards one order grants at most: their sessions travel with it, and a
// frame has at most 1 MiB (PROTOCOL B1).
const connectMax = 1000

// largeStart is how many shards are enough to ask Discord anew how many may identify today; where nobody serves yet, before they are given to anybody.
const largeStart = 50

// offloadWithin is what the handlers of a machine may still take when another one serves its shards already.
const offloadWithin = time.Second

// shyFor is how long a machine that refused a range is given none.
const shyFor = time.Minute

// What may move a range, as a machine tells it.
type (
	// stands: the CONTROL serves these ranges now.
	stands struct {
		source string
		link   transport.Link
		ranges []messages.RangeInfo
	}
	// released: the CONTROL let go of a range, as ordered; its sessions are told.
	released struct {
		source string
		link   transport.Link
		shards messages.ShardRange
	}
	// answered: the CONTROL tells how it gets on with a command, that it is done, or that it does not obey an order.
	answered struct {
		source string
		link   transport.Link
		ack    messages.Ack
	}
	// tryAgain: a machine that refused a range may be asked again; or, without a source, what was held up is to go on.
	tryAgain struct{ source string }
)

// IgnoreDeadLetterLogging: it may come after MASTER has stopped.
func (tryAgain) IgnoreDeadLetterLogging() {}

// settle does what is to be done now: slots for who has none, shards that nobody serves, spares, the answers to orders that are done by it.
func (f *Fleet) settle(ctx actor.Context) {
	f.seatAll(ctx)
	if f.halted == nil && f.State() == "serving" && f.seated() {
		for _, s := range f.inOrder() {
			f.empty(ctx, s)
		}
		if f.place(ctx) {
			f.makeSpares(ctx)
		}
		f.takeTurns(ctx)
	}
	f.progress()
}

// place gives what nobody has to the machines that have nothing, to as many of them as it takes, or to all where those are too few.
// It reports whether that is done, and does not wait for Discord.
func (f *Fleet) place(ctx actor.Context) bool {
	var given []messages.ShardRange
	var here, idle []*seat
	serving, served := 0, 0
	for _, s := range f.inOrder() {
		given = append(given, s.granted...)
		if len(s.granted) > 0 {
			serving++
			served += load(s.granted)
		}
		if !s.takes() {
			continue
		}
		here = append(here, s)
		if len(s.granted) == 0 && len(s.ranges) == 0 {
			idle = append(idle, s)
		}
	}
	free := plan.Unserved(f.settings.shards, given)
	switch {
	case len(free) == 0:
		return true
	case f.awaits():
		return false
	}
	if load(free) >= largeStart && len(here) > 0 && f.counts(ctx) && served == 0 {
		return false // what others served is resumed, and waits for nobody
	}
	takers := here
	if n := plan.Takers(len(idle), f.options.Spares, load(free), serving, served); 0 < n && n <= len(idle) {
		takers = idle[:n]
	}
	for i, share := range plan.Place(free, f.settings.perCluster, weigh(takers)) {
		for _, r := range share {
			f.give(ctx, takers[i], r)
		}
	}
	return true
}

// canTake reports whether any machine does.
func (f *Fleet) canTake() bool { return slices.ContainsFunc(f.inOrder(), (*seat).takes) }

// load counts the shards of ranges.
func load(ranges []messages.ShardRange) (shards int) {
	for _, r := range ranges {
		shards += r.Len()
	}
	return shards
}

func weigh(seats []*seat) []plan.Taker {
	machines := make([]plan.Capacity, len(seats))
	for i, s := range seats {
		machines[i] = s.capacity
	}
	takers := make([]plan.Taker, len(seats))
	for i, w := range plan.Weights(machines) {
		takers[i] = plan.Taker{Weight: w, Has: load(seats[i].granted)}
	}
	return takers
}

// give makes a range a machine's own.
func (f *Fleet) give(ctx actor.Context, s *seat, r messages.ShardRange) {
	s.spare = false
	for _, part := range plan.Chunks(r, f.settings.perCluster, connectMax) {
		s.granted = append(s.granted, part)
		f.raise(messages.FleetPlaced{Source: s.source, Shards: part.String()})
		f.connect(ctx, s, part)
	}
}

// makeSpares tells who has nothing that it is a spare.
func (f *Fleet) makeSpares(ctx actor.Context) {
	for _, s := range f.inOrder() {
		if s.ready() && !s.spare && !s.outdated && len(s.granted) == 0 && len(s.ranges) == 0 {
			s.spare = true
			f.raise(messages.FleetPlaced{Source: s.source})
			f.order(ctx, s, func(id string) messages.FromMaster { return messages.Connect{ID: id, Redundant: true} })
		}
	}
}

// connect grants a range: at once, or when it is the machine's turn.
func (f *Fleet) connect(ctx actor.Context, s *seat, r messages.ShardRange) {
	ctx.Send(f.sessions, owns{s.source, r})
	if s.paces {
		delete(s.turns, r)
		return
	}
	f.grant(ctx, s, r)
}

// grant tells a machine that a range is its own. Whose epoch is not the present one is told it first: what is served by its order outranks what was served before.
func (f *Fleet) grant(ctx actor.Context, s *seat, r messages.ShardRange) {
	if s.epoch != f.epoch {
		f.greet(ctx, s)
	}
	f.order(ctx, s, func(id string) messages.FromMaster { return messages.Connect{ID: id, Range: &r} })
}

// confirm says that a range which a machine serves is its own: what of it does not run is waiting for that.
func (f *Fleet) confirm(ctx actor.Context, s *seat, r messages.ShardRange) {
	ctx.Send(f.sessions, order{s.pid, messages.Connect{ID: f.orderID(s), Range: &r}, true})
}

// order sends an order with an id of its own. All of them go by the sessions, which complete a connect, and none overtakes another.
func (f *Fleet) order(ctx actor.Context, s *seat, with func(id string) messages.FromMaster) {
	ctx.Send(f.sessions, order{s.pid, with(f.orderID(s)), false})
}

func (f *Fleet) orderID(s *seat) string {
	f.orders++
	return fmt.Sprintf("%d-%s-%d", f.epoch, s.source, f.orders)
}

// reconcile makes a returned CONTROL and our grants agree: what it serves and nobody else was given is its own, what others have it lets go, what it was given and does
// not serve it is given again.
func (f *Fleet) reconcile(ctx actor.Context, s *seat) {
	if f.halted != nil {
		f.shutDown(ctx, s)
		return
	}
	s.leaving = nil
	for _, r := range s.ranges {
		f.claimed(ctx, s, r)
	}
	if f.State() == "serving" {
		f.confirmAll(ctx, s)
	}
}

// confirmAll says what a machine has to serve. While CONTROLs gather one may come yet whose claim is better.
func (f *Fleet) confirmAll(ctx actor.Context, s *seat) {
	if s.link == nil || !s.informed || f.halted != nil {
		return
	}
	f.empty(ctx, s)
	for _, g := range s.granted {
		if slices.Contains(s.leaving, g) {
			continue
		}
		if slices.ContainsFunc(s.ranges, func(r messages.RangeInfo) bool { return r.Range.Overlaps(g) }) {
			f.confirm(ctx, s, g)
		} else {
			f.connect(ctx, s, g)
		}
	}
}

// restore gives a linked machine again what it served before, is to serve, and let go of by itself: its lease ran out while we slept. One that stops refuses it. One that is
// drained lets go by order of an earlier life of ours: that is left to others, as far as there are any or may be.
func (f *Fleet) restore(ctx actor.Context, s *seat, before []messages.RangeInfo) {
	for _, g := range slices.Clone(s.granted) {
		has := func(r messages.RangeInfo) bool { return r.Range.Overlaps(g) }
		switch {
		case !slices.ContainsFunc(before, has) || slices.ContainsFunc(s.ranges, has) || slices.Contains(s.leaving, g):
		case s.isDrained() && (f.State() != "serving" || f.canTake()):
			s.granted = plan.Without(s.granted, g)
		default:
			f.connect(ctx, s, g)
		}
	}
}

// claimed settles who has a range that a machine serves. Where two serve it, the order of the higher epoch counts.
func (f *Fleet) claimed(ctx actor.Context, s *seat, r messages.RangeInfo) {
	mine := []messages.ShardRange{r.Range}
	for _, o := range f.inOrder() {
		for _, g := range slices.Clone(o.granted) {
			both, some := r.Range.And(g)
			switch {
			case o == s && some:
				mine = plan.Without(mine, g) // it has it already
			case o == s || !some:
			case r.Epoch > f.claim(o, g):
				f.lose(ctx, o, both, s.source)
			default:
				mine = plan.Without(mine, both)
				f.lose(ctx, s, both, o.source)
			}
		}
	}
	for _, m := range mine {
		s.granted = append(s.granted, m)
		ctx.Send(f.sessions, owns{s.source, m})
	}
}

// claim is the epoch of the order by which a machine has a range. One that has not said so yet was given it by us. With a lease it is ours as soon as we serve: of those who
// have a range by earlier orders only the one that we confirmed can run it, and to give it to another while that one stops would let it run twice.
func (f *Fleet) claim(s *seat, g messages.ShardRange) int64 {
	epoch := int64(-1)
	if f.options.Lease > 0 && f.State() == "serving" {
		return f.epoch
	}
	for _, r := range s.ranges {
		if r.Range.Overlaps(g) {
			epoch = max(epoch, r.Epoch)
		}
	}
	if epoch < 0 {
		return f.epoch
	}
	return epoch
}

// lose takes a range from a machine that has it beside its owner: it is to stop within a second. What was up there was served twice.
func (f *Fleet) lose(ctx actor.Context, s *seat, r messages.ShardRange, owner string) {
	up := func(o messages.RangeInfo) bool { return o.State == messages.RangeOperational && o.Range.Overlaps(r) }
	if slices.ContainsFunc(s.ranges, up) {
		doubled := messages.FleetDoubled{Source: s.source, Shards: r.String(), Owner: owner}
		if !s.lapsed.IsZero() {
			doubled.ForMS = messages.Millis(time.Since(s.lapsed))
		}
		f.raise(doubled)
	}
	s.granted = plan.Without(s.granted, r)
	if s.link == nil {
		return
	}
	f.order(ctx, s, func(id string) messages.FromMaster {
		return messages.Offload{ID: id, Range: r, Reason: "served by " + owner, WithinMS: messages.Millis(offloadWithin)}
	})
}

// stands takes note of what a machine serves.
func (f *Fleet) stands(ctx actor.Context, m stands) {
	s := f.seats[m.source]
	if s == nil || s.link != m.link || s.outdated {
		return
	}
	before := s.ranges
	s.ranges = m.ranges
	f.restore(ctx, s, before)
	f.look(ctx)
	f.settle(ctx)
}

// released: a machine let go of a range as it was told, so that another one can have it.
func (f *Fleet) released(ctx actor.Context, m released) {
	s := f.seats[m.source]
	if s == nil || s.link != m.link {
		return
	}
	if s.isDrained() || len(plan.Without(s.leaving, m.shards)) != len(s.leaving) {
		s.granted, s.leaving = plan.Without(s.granted, m.shards), plan.Without(s.leaving, m.shards)
	}
	f.settle(ctx)
}

// refuse: a machine does not take what it was given. It is given nothing for a while.
func (f *Fleet) refuse(ctx actor.Context, s *seat, m answered) {
	if r := m.ack.Range; r != nil && !slices.ContainsFunc(s.ranges, func(o messages.RangeInfo) bool { return o.Range.Overlaps(*r) }) && slices.Contains(s.granted, *r) {
		s.granted, s.leaving, s.refused = plan.Without(s.granted, *r), plan.Without(s.leaving, *r), true
		f.After(ctx, shyFor, tryAgain{s.source})
		f.settle(ctx)
	}
}

func (f *Fleet) tryAgain(ctx actor.Context, m tryAgain) {
	if s := f.seats[m.source]; s != nil {
		s.refused = false
	}
	f.settle(ctx)
}

// in is every range that is in one of these states.
func (f *Fleet) in(states ...messages.RangeState) (ranges []messages.ShardRange) {
	for _, s := range f.seats {
		for _, r := range s.ranges {
			if slices.Contains(states, r.State) {
				ranges = append(ranges, r.Range)
			}
		}
	}
	return ranges
}

// look says once that the whole bot is up.
func (f *Fleet) look(ctx actor.Context) {
	if f.whole || f.settings.shards == 0 {
		return
	}
	if len(plan.Unserved(f.settings.shards, f.in(messages.RangeOperational))) == 0 {
		f.whole = true
		machines := 0
		for _, s := range f.seats {
			if len(s.ranges) > 0 {
				machines++
			}
		}
		f.raise(messages.FleetOperational{ShardCount: f.settings.shards, Machines: machines, TookMS: messages.Millis(time.Since(f.began))})
	}
}
