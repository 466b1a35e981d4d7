//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

// A discord.py bot that takes its shards from the environment and does not know CONTROL, two
// clusters of two shards in one bucket: they start one after the other, and the next CONTROL adopts
// them by their pids.
func TestDiscordPyUnderControl(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 4, 1, "--guilds", "4", "--jitter", "20ms")
	b := startMake(t, d, 4, 2, settings{"cluster.protocol": "env", "cluster.ready": `log "^ready$"`}, python(t), "python/discordpy.py")
	b.logged("cluster.ready", 1)
	b.logged("cluster.ready", 2)
	b.cared()
	d.inTurn()
	before := b.clusters()
	if len(before) != 2 {
		t.Errorf("processes %v, want two", before)
	}
	b = b.killed()
	b.logged("cluster.adopted", 2)
	b.kept(before)
	d.fault(`{"kind":"reconnect"}`)
	eventually(t, "every shard has resumed", func() bool { return d.stats().Resumes == 4 })
	b.cared()
	if all := b.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
	if printed := b.printed(); strings.Count(printed, "\ndone\n") != 2 || strings.Contains(printed, "error ") {
		t.Errorf("the bots printed:\n%s", printed)
	}
	b.stop()
	eventually(t, "Discord sees the connections go", func() bool { return d.stats().Connections == 0 })
	d.wellBehaved()
}
