package fleet

import (
	"maps"
	"slices"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file handles the turns of CONTROLs that did not announce permits (PROTOCOL B1): they pace
// themselves, so each starts its ranges alone, one after the other, while the governor grants
// nothing. Turns follow from what the machines report to serve, so that MASTER's next run knows
// them too.

// takeTurns chooses which range begins now, and lets the governor grant only while none does.
func (f *Fleet) takeTurns() {
	var turns []plan.Turn
	var whose []*machine
	for _, m := range f.inOrder() {
		if !m.pacesItself {
			continue
		}
		maps.DeleteFunc(m.turns, func(r messages.ShardRange, _ time.Time) bool { return !slices.Contains(m.granted, r) })
		for _, g := range m.granted {
			t := plan.Turn{Shards: g, Began: m.turns[g]}
			switch state := m.stateOf(g); {
			case state == messages.RangeConnecting && t.Began.IsZero():
				m.turns[g], t.Began = f.now, f.now
				f.after(plan.StockStart(g), tryAgain{})
			case state == messages.RangeConnecting:
			case state != "":
				delete(m.turns, g)
				t.Done = true
			case t.Began.IsZero() && m.link == 0: // it is granted again when the machine returns
				continue
			}
			turns, whose = append(turns, t), append(whose, m)
		}
	}
	next, until := plan.NextTurn(turns, f.now)
	if next >= 0 {
		m, g := whose[next], turns[next].Shards
		m.turns[g] = f.now
		f.after(plan.Quiet(f.options.TTL, f.options.Margin), turnDue{m.source, g, f.now})
		f.after(plan.StockStart(g), tryAgain{})
	}
	f.reserve(next >= 0 || !until.IsZero())
}

// reserve keeps Discord's buckets for the machine in its turn, or frees them: its last identifies
// were not counted.
func (f *Fleet) reserve(on bool) {
	if f.reserved == on {
		return
	}
	if f.reserved = on; !on {
		f.do(UsedAll{f.settings.maxConcurrency})
		f.ask()
	}
	f.keepSlots()
}

// turnDue grants the range of a turn, unless the turn has passed to another.
func (f *Fleet) turnDue(e turnDue) {
	if m := f.machines[e.source]; m != nil && m.link != 0 && m.turns[e.shards].Equal(e.began) && slices.Contains(m.granted, e.shards) {
		f.grant(m, e.shards)
	}
}
