package plan

import (
	"slices"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

// Kept events are delivered once and in order; lost ones are a gap, only for followers of their
// level.
func TestEventLog(t *testing.T) {
	c := NewEventLog("m1", noon)
	first := c.Last
	for i := range 2 * keptTransitions { // many transitions displace no other event
		c.Add(messages.ShardMoved{Shard: i}, noon)
		if i%200 == 0 {
			c.Add(messages.ClusterReady{PID: i}, noon)
		}
	}
	for name, q := range map[string]struct {
		after uint64
		least messages.Level
		n     int
		gap   bool
	}{
		"from now on":                  {0, messages.LevelDebug, 0, false},
		"events since the start":       {first, messages.LevelInfo, 5, false},
		"all since the start":          {first, messages.LevelDebug, keptTransitions + 5, true},
		"all since a moment ago":       {c.Last - 10, messages.LevelDebug, 10, false},
		"nothing new":                  {c.Last, messages.LevelDebug, 0, false},
		"of an earlier run":            {first - 1, messages.LevelInfo, 5, true},
		"of another machine, or later": {c.Last + 1, messages.LevelInfo, 5, true},
		"no such level":                {first, messages.LevelError, 0, false},
	} {
		got := c.Since(q.after, q.least)
		ids := []uint64{}
		for _, e := range got.Events {
			ids = append(ids, e.ID)
		}
		if len(ids) != q.n || got.Gap != q.gap || got.Last != c.Last || !slices.IsSorted(ids) || len(slices.Compact(ids)) != q.n {
			t.Errorf("%s: %d events, gap %v, last %d; want %d, %v, %d", name, len(ids), got.Gap, got.Last, q.n, q.gap, c.Last)
		}
	}
	for range keptEvents {
		c.Add(messages.ClusterReady{}, noon)
	}
	if got := c.Since(first, messages.LevelInfo); !got.Gap || len(got.Events) != keptEvents {
		t.Errorf("%d events, gap %v", len(got.Events), got.Gap)
	}
}

// A dead bot's output is cut: five hundred of them would use up the memory.
func TestEventLogCuts(t *testing.T) {
	c := NewEventLog("m1", noon)
	record := c.Add(messages.ClusterGaveUp{Output: strings.Repeat("ä", 64<<10) + "the end"}, noon)
	if out := record.Event.(messages.ClusterGaveUp).Output; len(out) > outputMax || !strings.HasSuffix(out, "the end") || strings.ToValidUTF8(out, "") != out {
		t.Errorf("%d bytes", len(out))
	}
}

// A follower gets the events of its level until it accepts no more; a follower that went away is
// removed when the next one comes, though nothing of its level happens.
func TestEventLogFollowers(t *testing.T) {
	c := NewEventLog("m1", noon)
	calls := map[string]int{}
	follow := func(name string, least messages.Level, most int) {
		c.Follow(messages.Follow{Least: least, Deliver: func(messages.EventBatch) bool { calls[name]++; return calls[name] < most }})
	}
	follow("all", messages.LevelDebug, 100)
	follow("news", messages.LevelInfo, 4)
	follow("gone", messages.LevelError, 2)
	c.Record(messages.ShardMoved{}, noon)
	c.Record(messages.ClusterReady{}, noon)
	c.Record(messages.ClusterReady{}, noon)
	if calls["all"] != 6 || calls["news"] != 4 || calls["gone"] != 1 || len(c.followers) != 2 {
		t.Errorf("%v, %d followers", calls, len(c.followers))
	}
	follow("next", messages.LevelDebug, 100)
	if calls["gone"] != 2 || len(c.followers) != 2 {
		t.Errorf("%v, %d followers", calls, len(c.followers))
	}
}

// Refused connections displace no event of the fleet, however many there are.
func TestEventLogRefusals(t *testing.T) {
	now := noon
	c := NewEventLog("m", now)
	first := c.Last
	c.Record(messages.MachineLost{Source: "a"}, now)
	for range 10 * keptEvents {
		c.Record(messages.MachineRefused{Remote: "10.0.0.1:5", CloseCode: 4001}, now)
		c.Record(messages.AdminRefused{Remote: "10.0.0.1", Status: 401}, now)
	}
	c.Record(messages.MachineLeft{Source: "a"}, now)
	got := c.Since(first, messages.LevelInfo)
	if got.Gap || len(got.Events) != keptRefusals+2 || got.Events[0].Event != (messages.MachineLost{Source: "a"}) || got.Events[keptRefusals+1].Event != (messages.MachineLeft{Source: "a"}) {
		t.Errorf("gap %v, %d events", got.Gap, len(got.Events))
	}
}
