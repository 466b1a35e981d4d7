package fleet

import (
	"fmt"
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file places ranges: what no machine serves is granted to one, and what a machine reports to
// serve is its own unless it was granted to another.

const (
	// connectMax limits the shards of one order: their sessions travel with it, and a frame has at
	// most 1 MiB (PROTOCOL B1).
	connectMax = 1000
	// largeStart is the number of shards from which on Discord is asked how many identifies are left;
	// where no machine serves, before any are granted.
	largeStart = 50
	// offloadWithin is the time for the bots' handlers when another machine serves their shards
	// already.
	offloadWithin = time.Second
	// refusedBackoff is the time for which a machine that refused a range gets none.
	refusedBackoff = time.Minute
)

// settle does what can be done now: slots for machines without, ranges that no machine serves,
// spares, turns, orders that this completes.
func (f *Fleet) settle() {
	f.assignSlots()
	if f.halted == nil && f.state == Serving && f.slotsKnown() {
		for _, m := range f.inOrder() {
			f.offloadDrained(m)
		}
		if f.place() {
			f.makeSpares()
		}
		f.takeTurns()
	}
	f.checkDrains()
}

// place grants what no machine has to those that have nothing, to as many of them as needed, or to
// all where those are too few. It reports whether that is done, and waits for nothing.
func (f *Fleet) place() bool {
	var granted []messages.ShardRange
	var here, idle []*machine
	serving, served := 0, 0
	for _, m := range f.inOrder() {
		granted = append(granted, m.granted...)
		if len(m.granted) > 0 {
			serving++
			served += load(m.granted)
		}
		if !m.takes() {
			continue
		}
		here = append(here, m)
		if len(m.granted) == 0 && len(m.ranges) == 0 {
			idle = append(idle, m)
		}
	}
	free := plan.Unserved(f.settings.shards, granted)
	switch {
	case len(free) == 0:
		return true
	case f.awaitsReturns():
		return false
	}
	if load(free) >= largeStart && len(here) > 0 && f.awaitsBudget() && served == 0 {
		return false // what other machines served is resumed, and need not wait
	}
	takers := here
	if n := plan.Takers(len(idle), f.options.Spares, load(free), serving, served); 0 < n && n <= len(idle) {
		takers = idle[:n]
	}
	for i, share := range plan.Place(free, f.settings.perCluster, weigh(takers)) {
		for _, r := range share {
			f.assign(takers[i], r)
		}
	}
	return true
}

// canTake reports whether any machine takes ranges.
func (f *Fleet) canTake() bool { return slices.ContainsFunc(f.inOrder(), (*machine).takes) }

// load returns the number of shards of ranges.
func load(ranges []messages.ShardRange) (shards int) {
	for _, r := range ranges {
		shards += r.Len()
	}
	return shards
}

func weigh(machines []*machine) []plan.Taker {
	capacities := make([]plan.Capacity, len(machines))
	for i, m := range machines {
		capacities[i] = m.capacity
	}
	takers := make([]plan.Taker, len(machines))
	for i, w := range plan.Weights(capacities) {
		takers[i] = plan.Taker{Weight: w, Has: load(machines[i].granted)}
	}
	return takers
}

// assign makes a range a machine's own.
func (f *Fleet) assign(m *machine, r messages.ShardRange) {
	m.spare = false
	for _, part := range plan.Chunks(r, f.settings.perCluster, connectMax) {
		m.granted = append(m.granted, part)
		f.raise(messages.FleetPlaced{Source: m.source, Shards: part.String()})
		f.connect(m, part)
	}
}

// makeSpares orders the machines that have nothing to be spares.
func (f *Fleet) makeSpares() {
	for _, m := range f.inOrder() {
		if m.ready() && !m.spare && !m.outdated && len(m.granted) == 0 && len(m.ranges) == 0 {
			m.spare = true
			f.raise(messages.FleetPlaced{Source: m.source})
			f.do(Send{Link: m.link, Packet: messages.Connect{ID: f.orderID(m), Redundant: true}})
		}
	}
}

// connect grants a range: at once, or when it is the machine's turn.
func (f *Fleet) connect(m *machine, r messages.ShardRange) {
	f.do(Own{m.source, r})
	if m.pacesItself {
		delete(m.turns, r)
		return
	}
	f.grant(m, r)
}

// grant orders a machine to serve a range. One that was greeted with another epoch is greeted again
// first: what is served by its order outranks what was served before.
func (f *Fleet) grant(m *machine, r messages.ShardRange) {
	if m.epoch != f.epoch {
		f.greet(m)
	}
	f.do(Send{Link: m.link, Packet: messages.Connect{ID: f.orderID(m), Range: &r}})
}

// confirm confirms that a range which a machine serves is its own: the part of it that does not run
// waits for that.
func (f *Fleet) confirm(m *machine, r messages.ShardRange) {
	f.do(Send{Link: m.link, Packet: messages.Connect{ID: f.orderID(m), Range: &r}, Confirms: true})
}

// offload orders a machine to let go of a range, within a time; 0: its own.
func (f *Fleet) offload(m *machine, r messages.ShardRange, why string, within time.Duration) {
	f.do(Send{Link: m.link, Packet: messages.Offload{ID: f.orderID(m), Range: r, Reason: why, WithinMS: messages.Millis(within)}})
}

// orderID returns an id that no order to this machine had before, in no run of MASTER.
func (f *Fleet) orderID(m *machine) string {
	f.orderIDs++
	return fmt.Sprintf("%d-%s-%d", f.epoch, m.source, f.orderIDs)
}

// reconcile makes a returned CONTROL and the grants agree. What it serves and was not granted to
// another is its own. It lets go of what others have. What it was granted and does not serve is
// granted again.
func (f *Fleet) reconcile(m *machine) {
	if f.halted != nil {
		f.shutDown(m)
		return
	}
	m.leaving = nil
	for _, r := range m.ranges {
		f.claimed(m, r)
	}
	if f.state == Serving {
		f.confirmAll(m)
	}
}

// confirmAll confirms what a machine serves, and grants what else it should. In state Gathering it
// is too early: a machine with a better claim may still come.
func (f *Fleet) confirmAll(m *machine) {
	if !m.informed {
		return
	}
	f.offloadDrained(m)
	for _, g := range m.granted {
		if slices.Contains(m.leaving, g) {
			continue
		}
		if slices.ContainsFunc(m.ranges, func(r messages.RangeInfo) bool { return r.Range.Overlaps(g) }) {
			f.confirm(m, g)
		} else {
			f.connect(m, g)
		}
	}
}

// restore grants a linked machine again what it served before, and let go of by itself: its lease
// ran out while MASTER was suspended. A machine that stops refuses it. A drained one lets go by
// order of an earlier run of MASTER: that is left to others, as far as there are any or may be.
func (f *Fleet) restore(m *machine, before []messages.RangeInfo) {
	for _, g := range slices.Clone(m.granted) {
		has := func(r messages.RangeInfo) bool { return r.Range.Overlaps(g) }
		switch {
		case !slices.ContainsFunc(before, has) || slices.ContainsFunc(m.ranges, has) || slices.Contains(m.leaving, g):
		case m.isDrained() && (f.state != Serving || f.canTake()):
			m.granted = plan.Without(m.granted, g)
		default:
			f.connect(m, g)
		}
	}
}

// claimed decides which machine has a range that one serves. Where two serve it, the order of the
// higher epoch counts.
func (f *Fleet) claimed(m *machine, r messages.RangeInfo) {
	own := []messages.ShardRange{r.Range}
	for _, o := range f.inOrder() {
		for _, g := range slices.Clone(o.granted) {
			both, some := r.Range.And(g)
			switch {
			case o == m && some:
				own = plan.Without(own, g) // it has it already
			case o == m || !some:
			case r.Epoch > f.claim(o, g):
				f.lose(o, both, m.source)
			default:
				own = plan.Without(own, both)
				f.lose(m, both, o.source)
			}
		}
	}
	for _, r := range own {
		m.granted = append(m.granted, r)
		f.do(Own{m.source, r})
	}
}

// claim returns the epoch of the order by which a machine has a range. One that has not reported it
// was granted it by this MASTER. With a lease every claim is this MASTER's in state Serving: of the
// machines that have a range by earlier orders only the one that it confirmed can run it, and to
// grant it to another while that one stops would let it run twice.
func (f *Fleet) claim(m *machine, g messages.ShardRange) int64 {
	if f.options.Lease > 0 && f.state == Serving {
		return f.epoch
	}
	epoch := int64(-1)
	for _, r := range m.ranges {
		if r.Range.Overlaps(g) {
			epoch = max(epoch, r.Epoch)
		}
	}
	if epoch < 0 {
		return f.epoch
	}
	return epoch
}

// lose takes a range from a machine that has it beside its owner, within a second. The part of it
// that is up was served twice.
func (f *Fleet) lose(m *machine, r messages.ShardRange, owner string) {
	up := func(o messages.RangeInfo) bool { return o.State == messages.RangeOperational && o.Range.Overlaps(r) }
	if slices.ContainsFunc(m.ranges, up) {
		doubled := messages.FleetDoubled{Source: m.source, Shards: r.String(), Owner: owner}
		if !m.replacedAt.IsZero() {
			doubled.ForMS = messages.Millis(f.now.Sub(m.replacedAt))
		}
		f.raise(doubled)
	}
	m.granted = plan.Without(m.granted, r)
	if m.link != 0 {
		f.offload(m, r, "served by "+owner, offloadWithin)
	}
}

// serves takes the ranges that a machine serves now.
func (f *Fleet) serves(e Serves) {
	m := f.machines[e.Source]
	if m == nil || m.link != e.Link || m.outdated {
		return
	}
	before := m.ranges
	m.ranges = e.Ranges
	f.restore(m, before)
	f.checkReady()
	f.settle()
}

// released takes a range from a machine that let go of it, so that another one can have it.
func (f *Fleet) released(e Released) {
	m := f.machines[e.Source]
	if m == nil || m.link != e.Link {
		return
	}
	if m.isDrained() || len(plan.Without(m.leaving, e.Shards)) != len(m.leaving) {
		m.granted, m.leaving = plan.Without(m.granted, e.Shards), plan.Without(m.leaving, e.Shards)
	}
	f.settle()
}

// refuse takes a range from a machine that refused it. The machine gets none for a while.
func (f *Fleet) refuse(m *machine, r *messages.ShardRange) {
	if r != nil && !slices.ContainsFunc(m.ranges, func(o messages.RangeInfo) bool { return o.Range.Overlaps(*r) }) && slices.Contains(m.granted, *r) {
		m.granted, m.leaving, m.refused = plan.Without(m.granted, *r), plan.Without(m.leaving, *r), true
		f.after(refusedBackoff, tryAgain{m.source})
		f.settle()
	}
}

func (f *Fleet) tryAgain(e tryAgain) {
	if m := f.machines[e.source]; m != nil {
		m.refused = false
	}
	f.settle()
}

// rangesIn returns every range that is in one of these states on the machine that has it. One that
// another machine has now is what a lost machine reported last.
func (f *Fleet) rangesIn(states ...messages.RangeState) (ranges []messages.ShardRange) {
	for _, m := range f.machines {
		for _, r := range m.ranges {
			if slices.Contains(states, r.State) && slices.ContainsFunc(m.granted, r.Range.Overlaps) {
				ranges = append(ranges, r.Range)
			}
		}
	}
	return ranges
}

// checkReady reports once that the whole bot is up.
func (f *Fleet) checkReady() {
	if f.allReady || f.settings.shards == 0 || len(plan.Unserved(f.settings.shards, f.rangesIn(messages.RangeOperational))) > 0 {
		return
	}
	f.allReady = true
	machines := 0
	for _, m := range f.machines {
		if len(m.ranges) > 0 {
			machines++
		}
	}
	f.raise(messages.FleetOperational{ShardCount: f.settings.shards, Machines: machines, TookMS: messages.Millis(f.now.Sub(f.began))})
}
