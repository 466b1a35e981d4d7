package actors

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// What is kept is told once and in order; what is not kept any more is a gap, for those alone who want events of its level.
func TestChronicle(t *testing.T) {
	c := newChronicle("m1", noon)
	first := c.last
	for i := range 2 * keptMoves { // many moves push out no news
		c.add(messages.ShardMoved{Shard: i}, noon)
		if i%200 == 0 {
			c.add(messages.ClusterReady{PID: i}, noon)
		}
	}
	for name, q := range map[string]struct {
		after uint64
		least messages.Level
		n     int
		gap   bool
	}{
		"from now on":                  {0, messages.LevelDebug, 0, false},
		"news since the start":         {first, messages.LevelInfo, 5, false},
		"all since the start":          {first, messages.LevelDebug, keptMoves + 5, true},
		"all since a moment ago":       {c.last - 10, messages.LevelDebug, 10, false},
		"nothing new":                  {c.last, messages.LevelDebug, 0, false},
		"of an earlier life":           {first - 1, messages.LevelInfo, 5, true},
		"of another machine, or later": {c.last + 1, messages.LevelInfo, 5, true},
		"no such level":                {first, messages.LevelError, 0, false},
	} {
		got := c.since(q.after, q.least)
		ids := []uint64{}
		for _, e := range got.Events {
			ids = append(ids, e.ID)
		}
		if len(ids) != q.n || got.Gap != q.gap || got.Last != c.last || !slices.IsSorted(ids) || len(slices.Compact(ids)) != q.n {
			t.Errorf("%s: %d events, gap %v, last %d; want %d, %v, %d", name, len(ids), got.Gap, got.Last, q.n, q.gap, c.last)
		}
	}
	for range keptNews {
		c.add(messages.ClusterReady{}, noon)
	}
	if got := c.since(first, messages.LevelInfo); !got.Gap || len(got.Events) != keptNews {
		t.Errorf("%d events, gap %v", len(got.Events), got.Gap)
	}
}

// A dead bot's last words are cut: five hundred of them would be all of our memory.
func TestChronicleCuts(t *testing.T) {
	c := newChronicle("m1", noon)
	told := c.add(messages.ClusterGaveUp{Output: strings.Repeat("ä", 64<<10) + "the end"}, noon)
	if out := told.Event.(messages.ClusterGaveUp).Output; len(out) > outputMax || !strings.HasSuffix(out, "the end") || strings.ToValidUTF8(out, "") != out {
		t.Errorf("%d bytes", len(out))
	}
}

// Figures of shards are written in the order of the range; a new process has none.
func TestPictureOfShards(t *testing.T) {
	p := newPicture(DeskOptions{Source: "m1", Started: noon})
	r := messages.ShardRange{First: 4, Last: 6}
	p.heard(messages.ClusterMoved{Cluster: 1, Range: r, State: messages.ClusterServing, PID: 7, Ready: 3}, noon)
	p.heard(messages.ShardMoved{Cluster: 1, Shard: 5, State: messages.ShardReady}, noon)
	p.heard(messages.ShardMoved{Cluster: 1, Shard: 7, State: messages.ShardReady}, noon) // not of the range
	p.heard(messages.ShardMoved{Cluster: 2, Shard: 8, State: messages.ShardReady}, noon) // of nobody
	if got := p.view(1, noon).Clusters[0]; got.States != ".R." {
		t.Errorf("%+v", got)
	}
	stand := func(r messages.ShardRange) {
		p.shardsStand(messages.ShardsStand{Cluster: 1, Range: r, Shards: []messages.ShardStanding{
			{State: messages.ShardReady, LatencyMS: 40, Guilds: 3}, {State: messages.ShardResuming, Guilds: -1}, {State: messages.ShardReady, LatencyMS: 60, Guilds: 4}}})
	}
	stand(messages.ShardRange{First: 0, Last: 2}) // of another cut
	stand(r)
	got := p.view(1, noon).Clusters[0]
	if got.States != "RrR" || !slices.Equal(got.LatencyMS, []messages.Milliseconds{40, 0, 60}) || got.Guilds != 7 {
		t.Errorf("%+v", got)
	}
	p.heard(messages.ClusterMoved{Cluster: 1, Range: r, State: messages.ClusterGreeting, PID: 8}, noon)
	if got := p.view(1, noon).Clusters[0]; got.States != "..." || got.Guilds != 0 {
		t.Errorf("%+v", got)
	}
}

// Waits fall into the bucket that is just long enough; one longer than all is in none, and counted.
func TestPictureOfWaits(t *testing.T) {
	p := newPicture(DeskOptions{})
	for _, wait := range []time.Duration{0, 100 * time.Millisecond, 101 * time.Millisecond, 5 * time.Second, time.Hour, 2 * time.Hour} {
		p.heard(messages.Identified{Identifies: 2, Cause: messages.CauseCrash, WaitedMS: messages.Millis(wait)}, noon)
	}
	n := p.view(1, noon).Counters
	if !slices.Equal(n.Waits, []int{2, 1, 1, 0, 0, 0, 0, 1}) || n.WaitCount != 6 || n.Identifies[messages.CauseCrash] != 12 || n.WaitSum != 3*time.Hour+5201*time.Millisecond {
		t.Errorf("%+v", n)
	}
}
