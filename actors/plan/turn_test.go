package plan_test

import (
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

func TestNextTurn(t *testing.T) {
	now := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	ten := messages.ShardRange{First: 0, Last: 9}
	// a stock bot's own pace (PROTOCOL A3.9), and what it may retry
	limit := 9*15*time.Second + 5*time.Minute
	toCome, done := plan.Turn{Shards: ten}, plan.Turn{Shards: ten, Began: now.Add(-time.Hour), Done: true}
	since := func(d time.Duration) plan.Turn { return plan.Turn{Shards: ten, Began: now.Add(-d)} }
	for name, c := range map[string]struct {
		turns []plan.Turn
		next  int
		until time.Time
	}{
		"none":                            {nil, -1, time.Time{}},
		"the first":                       {[]plan.Turn{toCome, toCome}, 0, time.Time{}},
		"the next, when one is done":      {[]plan.Turn{done, toCome, toCome}, 1, time.Time{}},
		"one at a time":                   {[]plan.Turn{since(time.Second), toCome}, -1, now.Add(limit - time.Second)},
		"whichever came before it":        {[]plan.Turn{toCome, since(time.Second)}, -1, now.Add(limit - time.Second)},
		"two that began by themselves":    {[]plan.Turn{since(time.Minute), since(time.Second)}, -1, now.Add(limit - time.Second)},
		"one that is stuck, to its limit": {[]plan.Turn{since(limit - 1), toCome}, -1, now.Add(1)},
		"one that is stuck, no longer":    {[]plan.Turn{since(limit), toCome}, 1, time.Time{}},
		"all are done":                    {[]plan.Turn{done, done}, -1, time.Time{}},
	} {
		t.Run(name, func(t *testing.T) {
			if next, until := plan.NextTurn(c.turns, now); next != c.next || !until.Equal(c.until) {
				t.Errorf("%d %v, want %d %v", next, until, c.next, c.until)
			}
		})
	}
}
