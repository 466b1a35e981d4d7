package status

import (
	"slices"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// Figures of shards come in the order of the range; a new process has none.
func TestSnapshotOfShards(t *testing.T) {
	p := newSnapshot(Options{Source: "m1", Started: noon})
	r := messages.ShardRange{First: 4, Last: 6}
	p.heard(messages.ClusterMoved{Cluster: 1, Range: r, State: messages.ClusterServing, PID: 7, Ready: 3}, noon)
	p.heard(messages.ShardMoved{Cluster: 1, Shard: 5, State: messages.ShardReady}, noon)
	p.heard(messages.ShardMoved{Cluster: 1, Shard: 7, State: messages.ShardReady}, noon) // not of the range
	p.heard(messages.ShardMoved{Cluster: 2, Shard: 8, State: messages.ShardReady}, noon) // of no cluster
	if got := p.view(1, noon).Clusters[0]; got.States != ".R." {
		t.Errorf("%+v", got)
	}
	stand := func(r messages.ShardRange) {
		p.shardsMoved(messages.ShardsSnapshot{Cluster: 1, Range: r, Shards: []messages.ShardSnapshot{
			{State: messages.ShardReady, LatencyMS: 40, Guilds: 3}, {State: messages.ShardResuming, Guilds: -1}, {State: messages.ShardReady, LatencyMS: 60, Guilds: 4}}})
	}
	stand(messages.ShardRange{First: 0, Last: 2}) // of another cut
	stand(r)
	got := p.view(1, noon).Clusters[0]
	if got.States != "RrR" || !slices.Equal(got.LatencyMS, []messages.Milliseconds{40, 0, 60}) || got.Guilds != 7 {
		t.Errorf("%+v", got)
	}
	p.heard(messages.ClusterMoved{Cluster: 1, Range: r, State: messages.ClusterGreeting, PID: 8, Waits: "cluster.ready"}, noon)
	if got := p.view(1, noon).Clusters[0]; got.States != "..." || got.Guilds != 0 || got.WaitsFor != "cluster.ready" {
		t.Errorf("%+v", got)
	}
}

// A wait counts in the smallest bucket that holds it; one longer than all is in none, but counted.
func TestSnapshotOfWaits(t *testing.T) {
	p := newSnapshot(Options{})
	for _, wait := range []time.Duration{0, 100 * time.Millisecond, 101 * time.Millisecond, 5 * time.Second, time.Hour, 2 * time.Hour} {
		p.heard(messages.Identified{Identifies: 2, Cause: messages.CauseCrash, WaitedMS: messages.Millis(wait)}, noon)
	}
	n := p.view(1, noon).Counters
	if !slices.Equal(n.Waits, []int{2, 1, 1, 0, 0, 0, 0, 1}) || n.WaitCount != 6 || n.Identifies[messages.CauseCrash] != 12 || n.WaitSum != 3*time.Hour+5201*time.Millisecond {
		t.Errorf("%+v", n)
	}
}

// A target names clusters of this machine, or is refused.
func TestNamed(t *testing.T) {
	some := func(id messages.ClusterID) messages.AskTarget { return messages.AskTarget{Cluster: &id} }
	shard := func(n uint64) messages.AskTarget { return messages.AskTarget{Guild: n<<22 | 1} }
	p := newSnapshot(Options{})
	refused := func(to messages.AskTarget, refusal messages.Refusal, text string) {
		t.Helper()
		if ids, got, reason := p.named(to); ids != nil || got != refusal || reason != text {
			t.Errorf("%v, %s %q, want %s %q", ids, got, reason, refusal, text)
		}
	}
	refused(messages.AskTarget{}, messages.RefusedNow, "this machine has no cluster")
	refused(shard(5), messages.RefusedNow, "the number of shards is unknown")
	p.machine.ShardCount = 8
	for id := range messages.ClusterID(2) {
		p.clusterMoved(messages.ClusterMoved{Cluster: 2 - id, Range: messages.ShardRange{First: 4 - 2*int(id), Last: 5 - 2*int(id)}, State: messages.ClusterStopped}, noon)
	}
	refused(some(0), messages.RefusedUnknown, "cluster 0 is not of this machine")
	refused(shard(6), messages.RefusedUnknown, "server 25165825 is on shard 6, which this machine does not serve")
	for _, c := range []struct {
		to   messages.AskTarget
		want []messages.ClusterID
	}{{messages.AskTarget{}, []messages.ClusterID{1, 2}}, {some(2), []messages.ClusterID{2}}, {shard(5), []messages.ClusterID{2}}, {shard(8 + 3), []messages.ClusterID{1}}} {
		if ids, refusal, reason := p.named(c.to); !slices.Equal(ids, c.want) || refusal != "" {
			t.Errorf("%v, %s %s, want %v", ids, refusal, reason, c.want)
		}
	}
}
