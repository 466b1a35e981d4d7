package cmd

import (
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// What a bot is waited for is in a line below the table.
func TestPrintClusters(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var b strings.Builder
	printClusters(&b, now, []messages.ClusterView{
		{Cluster: 0, Shards: messages.ShardRange{First: 0, Last: 4}, State: messages.ClusterServing, Since: now, ShardsReady: 5,
			Host: &messages.HostMemory{GuildsBytes: 5_400_000, EventsBytes: 120_000, EventsMax: 300_000_000}},
		{Cluster: 1, Shards: messages.ShardRange{First: 5, Last: 9}, State: messages.ClusterConnecting, Since: now, WaitsFor: "cluster.ready: after 30s"},
	})
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) != 4 || lines[3] != "cluster 1 waits for cluster.ready: after 30s" {
		t.Errorf("got\n%s", b.String())
	}
	if !strings.Contains(lines[1], "guilds 5.4 MB, events 0.1 of 300.0 MB") || strings.Contains(lines[2], "MB") {
		t.Errorf("memory of the hosts:\n%s", b.String())
	}
}
