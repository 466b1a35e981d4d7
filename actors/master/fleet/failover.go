package fleet

import (
	"time"

	"github.com/discluster/control/messages"
)

// This file handles a machine whose link is lost.
//
//	linked ──lost──▶ expected ──grace──▶ replaced ──an hour──▶ forgotten
//	   ▲                │                   │
//	   └────────────────┴── it returns ─────┘
//
// An expected machine keeps what it serves. What a replaced machine served is placed elsewhere,
// with its sessions; if it returns, it lets go of that, and becomes a spare. Nothing is decided
// while no machine is linked, nor by a timer that comes late: then MASTER itself was away.

// returnWithin is the longest time a CONTROL may take to come back to a MASTER that was away: its
// longest wait between two dials, 30 s + 10 % (PROTOCOL B1), and its greeting.
const returnWithin = 36 * time.Second

// expect gives a machine that is away the time to come back.
func (f *Fleet) expect(m *machine, within time.Duration) {
	m.returnBy = f.now.Add(within)
	f.after(within, graceOver{m.source, m.losses, m.returnBy})
}

// expectAll gives every machine that is away the time to come back, from now, and enough of it even
// if MASTER itself was away.
func (f *Fleet) expectAll() {
	for _, m := range f.inOrder() {
		if m.link == 0 {
			m.losses++
			f.expect(m, max(f.options.Grace, returnWithin))
		}
	}
}

// awaitsReturns reports whether what no machine here serves may belong to one that comes back, from
// before this run of MASTER. Where there was a MASTER before, every machine has as long to come
// back as if it had been lost when the first one came back, for until then MASTER itself may have
// been cut off; and as long to stop what it serves.
func (f *Fleet) awaitsReturns() bool {
	switch {
	case !f.firstReturn.IsZero():
		return f.now.Sub(f.firstReturn) < max(f.options.Grace, returnWithin)
	case f.options.Lease > 0 && !f.options.Alone:
		return f.now.Sub(f.began) < f.options.Lease+messages.LeaseMargin
	}
	return false
}

// graceOver places elsewhere what a machine served that did not return.
func (f *Fleet) graceOver(e graceOver) {
	m := f.machines[e.source]
	switch {
	case m == nil || m.link != 0 || m.losses != e.losses:
	case f.state != Serving || f.present() == 0: // serve, or the first machine that is back, begins the wait again
	case f.now.Sub(e.due) > f.options.Heartbeat: // MASTER was suspended
		f.expectAll()
	default:
		f.replace(m)
	}
}

func (f *Fleet) replace(m *machine) {
	m.overdue = true
	if len(m.granted) > 0 {
		replaced := messages.MachineReplaced{Source: m.source, AwayMS: messages.Millis(f.now.Sub(m.lostAt))}
		for _, r := range m.granted {
			replaced.Shards = append(replaced.Shards, r.String())
		}
		f.raise(replaced)
		m.granted, m.leaving, m.replacedAt = nil, nil, f.now
		// what is granted from now on outranks what that machine serves, should it and a later MASTER
		// meet again
		f.epoch++
	}
	f.after(forgetAfter, forgetDue{m.source, m.losses})
	f.settle()
}

// forget frees the name and the slots of a machine that is away for long.
func (f *Fleet) forget(e forgetDue) {
	if m := f.machines[e.source]; m != nil && m.link == 0 && m.losses == e.losses {
		delete(f.machines, e.source)
		f.sorted = nil
		f.raise(messages.MachineForgotten{Source: m.source, AwayMS: messages.Millis(f.now.Sub(m.lostAt))})
		f.settle()
	}
}
