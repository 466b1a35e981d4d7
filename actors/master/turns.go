package master

import (
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is the turns of CONTROLs that did not announce permits (PROTOCOL B1): they pace
// themselves, so each starts its ranges alone, one after the other, while the governor grants
// nothing. Whose turn it is follows from what the machines say they serve, so that a MASTER that
// starts anew knows it too.

// turnDue: whatever was granted before a turn was chosen is used and over.
type turnDue struct {
	source string
	shards messages.ShardRange
	began  time.Time
}

// IgnoreDeadLetterLogging: it may come after MASTER has stopped.
func (turnDue) IgnoreDeadLetterLogging() {}

// takeTurns chooses who begins now, and lets the governor grant only while it is nobody's turn.
func (f *Fleet) takeTurns(ctx actor.Context) {
	now := time.Now()
	var turns []plan.Turn
	var whose []*seat
	for _, s := range f.inOrder() {
		if !s.paces {
			continue
		}
		maps.DeleteFunc(s.turns, func(r messages.ShardRange, _ time.Time) bool { return !slices.Contains(s.granted, r) })
		for _, g := range s.granted {
			t := plan.Turn{Shards: g, Began: s.turns[g]}
			switch state := s.stateOf(g); {
			case state == messages.RangeConnecting && t.Began.IsZero():
				s.turns[g], t.Began = now, now
				f.After(ctx, plan.StockStart(g), tryAgain{})
			case state == messages.RangeConnecting:
			case state != "":
				delete(s.turns, g)
				t.Done = true
			case t.Began.IsZero() && s.link == nil: // it is ordered anew when it returns
				continue
			}
			turns, whose = append(turns, t), append(whose, s)
		}
	}
	next, until := plan.NextTurn(turns, now)
	if next >= 0 {
		s, g := whose[next], turns[next].Shards
		s.turns[g] = now
		f.After(ctx, plan.Quiet(f.options.TTL, f.options.Margin), turnDue{s.source, g, now})
		f.After(ctx, plan.StockStart(g), tryAgain{})
	}
	f.reserve(ctx, next >= 0 || !until.IsZero())
}

// reserve keeps Discord's buckets for whose turn it is, or gives them back: what it identified last nobody has counted.
func (f *Fleet) reserve(ctx actor.Context, on bool) {
	if f.reserved == on {
		return
	}
	if f.reserved = on; !on {
		last := map[int]time.Time{}
		for bucket := range f.settings.maxConcurrency {
			last[bucket] = time.Now()
		}
		ctx.Send(f.governor, used{last: last})
		f.ask(ctx)
	}
	f.keepSlots(ctx)
}

// turnDue orders what the turn is for, unless it is somebody else's by now.
func (f *Fleet) turnDue(ctx actor.Context, m turnDue) {
	if s := f.seats[m.source]; s != nil && s.link != nil && s.turns[m.shards].Equal(m.began) && slices.Contains(s.granted, m.shards) {
		f.grant(ctx, s, m.shards)
	}
}
