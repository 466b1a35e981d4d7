package fleet

import (
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file assigns the slots in which machines identify while MASTER is away (PROTOCOL B3). Every
// machine has its own, and knows them before it gets a shard. A new machine gets slots that no
// machine has, or half of another machine's once that one has reported that it knows. While a
// machine is away MASTER grants nothing in its slots.

// slots holds what the fleet knows of them beside its machines.
type slots struct {
	// when a machine first brought slots of an earlier run of MASTER; zero: none did. A machine that
	// is away may have those that none here has
	inherited time.Time
	slotsBy   time.Time        // until then nothing is placed before every linked machine knows its slots
	donations []messages.Place // that a machine gave away, and no other has
	kept      []messages.Place // as the governor knows them; nil: it grants in all
	keptUnmet bool             // Unmet as the governor knows it
	keepSent  bool             // the governor knows them
	held      bool             // no machine may identify, and that is reported
}

const (
	// forgetAfter is the time for which a machine that is away keeps its slots, and its name.
	forgetAfter = time.Hour
	// slotsWithin is the time for which a machine that does not report that it knows its slots delays
	// the others.
	slotsWithin = 5 * time.Second
)

// The slots of the machines that stay are divided no more finely than into finestAlone, and
// finestEach for each linked machine, however many come and go.
const (
	finestAlone = 8
	finestEach  = 4
)

// complete reports whether every machine is linked that is expected.
func (f *Fleet) complete() bool {
	n := 0
	for _, m := range f.machines {
		if m.informed {
			n++
		}
	}
	return f.options.Expect > 0 && n >= f.options.Expect
}

// slotsKnown reports whether every linked machine knows its slots, or had the time to.
func (f *Fleet) slotsKnown() bool {
	for _, m := range f.machines {
		if m.informed && !m.ready() {
			return !f.now.Before(f.slotsBy)
		}
	}
	return true
}

// adoptSlots keeps for a machine the slots that it brought, unless another one has them, and
// assigns slots to those that wait for some.
func (f *Fleet) adoptSlots(m *machine) {
	shared := func(o *machine) bool {
		return o != m && (o.place.Of > 0 && plan.Overlap(o.place, m.believes) || o.believes.Of > 0 && plan.Overlap(o.believes, m.believes))
	}
	if m.place.Of == 0 && m.believes.Of > 0 && !slices.ContainsFunc(f.inOrder(), shared) {
		m.place = m.believes
		if f.inherited.IsZero() {
			f.inherited = f.now
		}
	}
	f.assignSlots()
}

// assignSlots assigns slots to the machines that wait for some.
func (f *Fleet) assignSlots() {
	var waiting []*machine
	asked := 0
	for _, m := range f.inOrder() {
		if m.donation.Of > 0 && m.believes == m.place {
			f.donations = append(f.donations, m.donation)
			m.donation = messages.Place{}
		}
		switch {
		case !m.informed:
		case m.place.Of == 0 || m.place == messages.NoSlot:
			waiting = append(waiting, m)
		case m.donation.Of > 0:
			asked++
		}
	}
	if f.state != Serving && !f.complete() {
		waiting = nil // a machine that had slots before may still come
	}
	if len(waiting) > 0 {
		waiting = f.assignFreeSlots(waiting)
	}
	for i := asked; i < len(waiting); i++ { // each that was asked already serves one
		if donor := f.donor(); donor != nil {
			donor.place, donor.donation, _ = plan.Halve(donor.place)
			f.greet(donor)
			continue
		}
		// the machine that has its slots may return: it serves without
		if m := waiting[i]; m.place.Of == 0 {
			m.place = messages.NoSlot
			f.greet(m)
		}
	}
	f.keepSlots()
}

// assignFreeSlots assigns slots that no machine has, and returns the machines that got none.
func (f *Fleet) assignFreeSlots(waiting []*machine) (left []*machine) {
	free := f.freeSlots(f.taken(), len(waiting))
	for i, m := range waiting {
		place, some := plan.Largest(free)
		if !some {
			return waiting[i:]
		}
		free = slices.DeleteFunc(free, func(p messages.Place) bool { return p == place })
		f.donations = slices.DeleteFunc(f.donations, func(p messages.Place) bool { return p == place })
		m.place = place
		f.greet(m)
	}
	return nil
}

// freeSlots returns the slots that no machine has. At the first start of a fleet that is all, cut
// for machines machines.
func (f *Fleet) freeSlots(taken []messages.Place, machines int) []messages.Place {
	f.donations = slices.DeleteFunc(f.donations, func(d messages.Place) bool {
		return slices.ContainsFunc(taken, func(t messages.Place) bool { return plan.Overlap(t, d) })
	})
	switch {
	case len(taken) == 0 && f.inherited.IsZero():
		return plan.Places(machines, f.options.Alone)
	case f.unknownMayReturn():
		return slices.Clone(f.donations)
	default:
		return plan.FreeSlots(taken)
	}
}

// donor returns the machine with the most slots of those that can give half of them away; nil:
// there is none.
func (f *Fleet) donor() *machine {
	var best *machine
	finest := finestAlone
	for _, m := range f.inOrder() {
		if m.link != 0 {
			finest += finestEach
		}
	}
	for _, m := range f.inOrder() {
		if _, _, can := plan.Halve(m.place); m.ready() && m.settled() && can && 2*m.place.Of <= finest && (best == nil || m.place.Of < best.place.Of) {
			best = m
		}
	}
	return best
}

// taken returns the slots of all machines.
func (f *Fleet) taken() []messages.Place {
	var all []messages.Place
	for _, m := range f.machines {
		all = m.places(all)
		if m.link == 0 && m.alone() { // it cannot learn of others
			all = append(all, messages.Place{Of: 1})
		}
	}
	return all
}

// unknownMayReturn reports whether slots that no machine here has may belong to one that is away
// since before this run of MASTER.
func (f *Fleet) unknownMayReturn() bool {
	return !f.inherited.IsZero() && f.now.Sub(f.inherited) < forgetAfter
}

// unknownMayServe is unknownMayReturn, except where the leases of an earlier run have ended.
func (f *Fleet) unknownMayServe() bool {
	return f.unknownMayReturn() && !(f.options.Lease > 0 && f.now.Sub(f.began) > f.options.Lease+messages.LeaseMargin)
}

// unmet reports whether a machine that this run of MASTER has not met may have slots, and with them
// a share of the day's budget: there are slots that no machine is known to have.
func (f *Fleet) unmet() bool {
	if !f.unknownMayServe() {
		return false
	}
	known := slices.Clone(f.donations)
	for _, m := range f.machines {
		known = m.places(known)
	}
	return len(plan.FreeSlots(known)) > 0
}

// keepSlots limits the governor to slots that do not belong to machines that are away, known or
// suspected. Where every machine is linked there is no limit.
func (f *Fleet) keepSlots() {
	if !f.paced() {
		return
	}
	keep, holders := f.grantable()
	unmet := f.unmet()
	held := keep != nil && len(keep) == 0 && !f.reserved && f.state == Serving && f.present() > 0
	if held && !f.held {
		hint := "if they are dead: control forget-machine"
		if len(holders) == 0 {
			hint = "machines of which this MASTER knows nothing may have all the slots: it waits for an hour"
		}
		f.raise(messages.IdentifiesHeld{Sources: holders, Hint: hint})
	}
	f.held = held
	if f.keepSent && slices.Equal(f.kept, keep) && (f.kept == nil) == (keep == nil) && f.keptUnmet == unmet {
		return
	}
	f.kept, f.keptUnmet, f.keepSent = keep, unmet, true
	f.do(Keep{slices.Clone(keep), unmet})
}

// grantable returns the slots in which MASTER may grant, nil for all, and the machines that keep it
// from the others.
func (f *Fleet) grantable() (keep []messages.Place, holders []string) {
	var here, away []messages.Place
	unknown := f.unknownMayServe()
	for _, m := range f.inOrder() {
		n := len(away)
		switch {
		case m.informed:
			if unknown {
				here = m.places(here)
			}
		case f.fenced(m):
		case m.alone():
			away = append(away, messages.Place{Of: 1})
		default:
			away = m.places(away)
		}
		if len(away) > n {
			holders = append(holders, m.source)
		}
	}
	none := []messages.Place{}
	switch {
	case f.reserved:
		return none, holders
	case unknown:
		keep = slices.DeleteFunc(append(here, f.donations...), func(p messages.Place) bool {
			return slices.ContainsFunc(away, func(a messages.Place) bool { return plan.Overlap(a, p) })
		})
		if len(plan.FreeSlots(keep)) == 0 {
			return nil, holders
		}
	case len(away) > 0:
		keep = plan.FreeSlots(away)
	default:
		return nil, holders
	}
	return append(none, keep...), holders
}

// fenced reports whether a machine that is away has certainly stopped all it served: its lease has
// run out. One that asks for no permits may not know leases.
func (f *Fleet) fenced(m *machine) bool {
	return f.options.Lease > 0 && !m.pacesItself && f.now.Sub(m.lostAt) > f.options.Lease+messages.LeaseMargin
}
