package master

import (
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is who may identify when MASTER is away (PROTOCOL B3): every machine has slots of its
// own, and knows them before it is given a shard. A newcomer gets slots that nobody has, or half of
// another machine's once that one has said that it knows. While a machine is away MASTER grants
// nothing in its slots.

// slots is what the fleet knows of them beside its seats.
type slots struct {
	inherited time.Time        // when a machine first brought slots that an earlier life of ours gave; zero: none did. Somebody away may have those that nobody here has
	seating   time.Time        // until then nothing is placed before everybody here knows its slots
	gifts     []messages.Place // that somebody here gave away, and nobody has yet
	kept      []messages.Place // as the governor knows it
	told      bool
	held      bool // nobody may identify, and that was said
}

// forgetAfter is how long a machine that is away keeps its slots, and its name.
const forgetAfter = time.Hour

// seatWithin is how long a machine that does not say that it knows its slots holds up the start of the others.
const seatWithin = 5 * time.Second

// complete reports whether everybody is here who is expected.
func (f *Fleet) complete() bool {
	n := 0
	for _, s := range f.seats {
		if s.link != nil && s.informed {
			n++
		}
	}
	return f.options.Expect > 0 && n >= f.options.Expect
}

// seated reports whether everybody here knows its slots, or had the time to.
func (f *Fleet) seated() bool {
	for _, s := range f.seats {
		if s.link != nil && s.informed && !s.ready() {
			return !time.Now().Before(f.seating)
		}
	}
	return true
}

// seat settles the slots of a machine that just spoke, and of whoever waits for some.
func (f *Fleet) seat(ctx actor.Context, s *seat) {
	shared := func(o *seat) bool {
		return o != s && (o.place.Of > 0 && plan.Shares(o.place, s.knows) || o.knows.Of > 0 && plan.Shares(o.knows, s.knows))
	}
	if s.place.Of == 0 && s.knows.Of > 0 && !slices.ContainsFunc(f.inOrder(), shared) {
		s.place = s.knows
		if f.inherited.IsZero() {
			f.inherited = time.Now()
		}
	}
	f.seatAll(ctx)
}

// seatAll gives slots to those who wait for some.
func (f *Fleet) seatAll(ctx actor.Context) {
	var waiting []*seat
	asked := 0
	for _, s := range f.inOrder() {
		if s.gift.Of > 0 && s.knows == s.place {
			f.gifts = append(f.gifts, s.gift)
			s.gift = messages.Place{}
		}
		switch {
		case s.link == nil || !s.informed:
		case s.place.Of == 0 || s.place == messages.NoSlot:
			waiting = append(waiting, s)
		case s.gift.Of > 0:
			asked++
		}
	}
	if f.State() != "serving" && !f.complete() {
		waiting = nil // somebody may come yet who has slots of before
	}
	if len(waiting) > 0 {
		waiting = f.seatFree(ctx, waiting)
	}
	for i := asked; i < len(waiting); i++ { // who was asked already gives to one each
		if giver := f.giver(); giver != nil {
			giver.place, giver.gift, _ = plan.Halve(giver.place)
			f.greet(ctx, giver)
			continue
		}
		if s := waiting[i]; s.place.Of == 0 { // whose slots they are may return; it serves without
			s.place = messages.NoSlot
			f.greet(ctx, s)
		}
	}
	f.keepSlots(ctx)
}

// seatFree gives slots that nobody has, and gives who is left without.
func (f *Fleet) seatFree(ctx actor.Context, waiting []*seat) (left []*seat) {
	taken := f.taken()
	free := f.freeSlots(taken, len(waiting))
	for i, s := range waiting {
		place, some := plan.Largest(free)
		if !some {
			return waiting[i:]
		}
		free = slices.DeleteFunc(free, func(p messages.Place) bool { return p == place })
		f.gifts = slices.DeleteFunc(f.gifts, func(p messages.Place) bool { return p == place })
		s.place = place
		f.greet(ctx, s)
	}
	return nil
}

// freeSlots is what nobody has. At the first start of a fleet that is everything, cut for so many machines.
func (f *Fleet) freeSlots(taken []messages.Place, machines int) []messages.Place {
	f.gifts = slices.DeleteFunc(f.gifts, func(g messages.Place) bool {
		return slices.ContainsFunc(taken, func(t messages.Place) bool { return plan.Shares(t, g) })
	})
	switch {
	case len(taken) == 0 && f.inherited.IsZero():
		return plan.Places(machines, f.options.Alone)
	case f.suspicious():
		return slices.Clone(f.gifts)
	default:
		return plan.FreeSlots(taken)
	}
}

// The slots of those who stay are divided no more finely than this, and this for each linked machine, whoever comes and goes.
const (
	finestAlone = 8
	finestEach  = 4
)

// giver is the machine with the most slots of those that can be asked for half of them.
func (f *Fleet) giver() *seat {
	var best *seat
	finest := finestAlone
	for _, s := range f.inOrder() {
		if s.link != nil {
			finest += finestEach
		}
	}
	for _, s := range f.inOrder() {
		if _, _, can := plan.Halve(s.place); s.ready() && s.settled() && can && 2*s.place.Of <= finest && (best == nil || s.place.Of < best.place.Of) {
			best = s
		}
	}
	return best
}

// taken is the slots of everybody.
func (f *Fleet) taken() []messages.Place {
	var all []messages.Place
	for _, s := range f.seats {
		all = s.places(all)
		if s.link == nil && s.alone() { // it cannot be told
			all = append(all, messages.Place{Of: 1})
		}
	}
	return all
}

// suspicious reports whether slots that nobody here has may be somebody's who is away since before this life of ours.
func (f *Fleet) suspicious() bool {
	return !f.inherited.IsZero() && time.Since(f.inherited) < forgetAfter
}

// keepSlots tells the governor in which slots it may grant: not in those of machines that are away, known or suspected. Where everybody is here it need not keep any.
func (f *Fleet) keepSlots(ctx actor.Context) {
	if f.governor == nil {
		return
	}
	var here, away []messages.Place
	var holders []string
	suspicious := f.suspicious() && !(f.options.Lease > 0 && time.Since(f.began) > f.options.Lease+leaseMargin)
	for _, s := range f.inOrder() {
		n := len(away)
		switch {
		case s.link != nil && s.informed:
			if suspicious {
				here = s.places(here)
			}
		case f.fenced(s):
		case s.alone():
			away = append(away, messages.Place{Of: 1})
		default:
			away = s.places(away)
		}
		if len(away) > n {
			holders = append(holders, s.source)
		}
	}
	var keep []messages.Place
	switch {
	case f.reserved:
		keep = []messages.Place{}
	case suspicious:
		if keep = slices.DeleteFunc(append(here, f.gifts...), func(p messages.Place) bool {
			return slices.ContainsFunc(away, func(a messages.Place) bool { return plan.Shares(a, p) })
		}); len(plan.FreeSlots(keep)) == 0 {
			keep = nil
		} else if keep == nil {
			keep = []messages.Place{}
		}
	case len(away) > 0:
		keep = plan.FreeSlots(away)
		if keep == nil {
			keep = []messages.Place{}
		}
	}
	held := keep != nil && len(keep) == 0 && !f.reserved && f.State() == "serving" && f.present() > 0
	if held && !f.held {
		hint := "if they are dead: control forget-machine"
		if len(holders) == 0 {
			hint = "machines of which this MASTER knows nothing may have all the slots: it waits for an hour"
		}
		f.raise(messages.IdentifiesHeld{Sources: holders, Hint: hint})
	}
	f.held = held
	if f.told && slices.Equal(f.kept, keep) && (f.kept == nil) == (keep == nil) {
		return
	}
	f.kept, f.told = keep, true
	ctx.Send(f.governor, keepTo{slices.Clone(keep), keep != nil})
}

// fenced reports whether a machine that is away has certainly stopped all it served: its lease has run out. One that asks for no permits may know nothing of leases.
func (f *Fleet) fenced(s *seat) bool {
	return f.options.Lease > 0 && !s.paces && time.Since(s.lostAt) > f.options.Lease+leaseMargin
}

// leaseMargin is what the end of a lease may take: a second for the handlers, and the death of what does not obey.
const leaseMargin = 5 * time.Second
