package messages

import (
	"testing"
	"time"
)

// A machine is ready when every shard that no operator stopped is READY; otherwise Ready returns
// the reason in words.
func TestViewReady(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, tc := range []struct {
		name   string
		change func(v *View)
		want   string // "": ready
	}{
		{"all is well", func(*View) {}, ""},
		{"halted", func(v *View) { v.Machine.Halted = true }, "halted: Discord refuses the token or its intents"},
		{"a cluster has failed", func(v *View) { v.Machine.Clusters.Failed = 2 }, "2 clusters have failed"},
		{"a cluster starts", func(v *View) { v.Machine.Clusters.Starting, v.Machine.ShardsReady = 1, 10 }, "10 of 20 shards are READY"},
		{"a moment without a shard", func(v *View) { v.Machine.ShardsReady = 19 }, ""},
		{"a shard is late", func(v *View) { v.Machine.ShardsReady, v.Clusters[1].ShardsLate = 19, 1 }, "19 of 20 shards are READY"},
		{"an outage", func(v *View) { v.Machine.Outage, v.Machine.ShardsReady, v.Clusters[1].ShardsLate = true, 15, 5 }, "15 of 20 shards are READY: Discord has an outage"},
		{"a shard is stuck", func(v *View) {
			v.Machine.ShardsReady, v.Clusters[1].ShardsLate = 19, 1
			v.Clusters[1].Stuck = &StuckShard{Shard: 13, State: ShardIdle, Since: since, Reason: "it does nothing"}
		}, "19 of 20 shards are READY; shard 13 is idle since 2026-01-02T03:04:05.000Z: it does nothing"},
		{"a spare", func(v *View) { v.Clusters, v.Machine.Clusters = nil, ClusterCount{} }, ""},
		{"a spare without MASTER", func(v *View) { v.Clusters, v.Machine.Clusters, v.Machine.Master.Up = nil, ClusterCount{}, false }, "no link to MASTER, and nothing to serve"},
		{"before Discord was reached", func(v *View) { v.Clusters, v.Machine.Clusters, v.Machine.ShardCount = nil, ClusterCount{}, 0 },
			"the number of shards is unknown: MASTER has not reached Discord"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := View{Machine: MachineView{Master: MasterView{Up: true}, ShardCount: 20, Shards: 20, ShardsReady: 20, Clusters: ClusterCount{Serving: 2}},
				Clusters: []ClusterView{{Cluster: 0}, {Cluster: 1}}}
			tc.change(&v)
			if ready, why := v.Ready(); ready != (tc.want == "") || why != tc.want {
				t.Errorf("%v %q, want %q", ready, why, tc.want)
			}
		})
	}
}
