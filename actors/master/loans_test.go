package master

import (
	"testing"
	"time"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// Of the day's budget MASTER withholds what the machines that are away hold, and no more, unless an
// earlier run of it may have lent something to machines that this one has not met.
func TestWithheld(t *testing.T) {
	const total = 1000
	// reports what a machine with half of the shards has
	beat := func(source string, share messages.BudgetShare) shareReported {
		return shareReported{source: source, share: share, shards: 2}
	}
	inherits := func(source string) bucketsUsed { return bucketsUsed{source: source, inherited: true, beats: true} }
	before := func(id int64, n, others int) messages.BudgetShare {
		return messages.BudgetShare{ID: id, Total: n, Remaining: n, Others: others}
	}
	some := []messages.Place{{Index: 0, Of: 2}}
	for name, c := range map[string]struct {
		events []any
		want   int
	}{
		"every machine is here":              {[]any{beat("a", messages.BudgetShare{}), beat("b", messages.BudgetShare{}), fleet.Keep{}}, 0},
		"one that has a share":               {[]any{beat("a", messages.BudgetShare{}), beat("b", messages.BudgetShare{}), machineGone{source: "b"}, fleet.Keep{Slots: some}}, total / 4},
		"one that has none":                  {[]any{beat("a", messages.BudgetShare{}), machineGone{source: "b"}, fleet.Keep{Slots: some}}, 0},
		"all":                                {[]any{beat("a", messages.BudgetShare{}), beat("b", messages.BudgetShare{}), machineGone{source: "a"}, machineGone{source: "b"}, fleet.Keep{Slots: []messages.Place{}}}, total / 2},
		"one not met, and as much as may be": {[]any{inherits("a"), beat("a", messages.BudgetShare{}), fleet.Keep{Slots: some, Unmet: true}}, total/2 - total/4},
		"one not met, which has 100 at most": {[]any{inherits("a"), beat("a", before(7, 200, 100)), fleet.Keep{Slots: some, Unmet: true}}, 100},
		"every one was met, and one is lost": {[]any{inherits("a"), beat("a", before(7, 200, 100)), inherits("b"), beat("b", before(8, 100, 200)), machineGone{source: "b"}, fleet.Keep{Slots: some}}, total / 4},
	} {
		t.Run(name, func(t *testing.T) {
			governorAlone(t, func(s *sim.Solo) {
				s.Send(fleet.Budget{Budget: plan.NewBudget(total, total, 4, time.Now().Add(time.Hour))})
				for _, e := range c.events {
					if h, is := e.(shareReported); is {
						h.machine = s.Ear
						e = h
					}
					s.Send(e)
				}
				got := -1
				s.Send(shown{answer: func(v messages.FleetView) { got = v.Budget.Lent }})
				if got != c.want {
					t.Errorf("%d are withheld, want %d", got, c.want)
				}
			})
		})
	}
}
