//go:build e2e

package e2e

import (
	"maps"
	"strings"
	"syscall"
	"testing"
)

// discordJS returns the settings of node/discordjs.mjs.
var discordJS = settings{"cluster.protocol": "env", "cluster.ready": `log "^Logged in as simulated$"`}

// A discord.js bot from npm that does not know CONTROL, two clusters of two shards in one bucket:
// ready by a line of their output, one after the other, and adopted by their pids. It does not run
// beside other tests: the bot paces its second shard by itself, with a margin of 50 ms.
func TestDiscordJSUnderControl(t *testing.T) {
	d := startDiscord(t, 4, 1, "--guilds", "8", "--events", "1")
	b := startMake(t, d, 4, 2, discordJS, node(t), "node/discordjs.mjs")
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
	b.stop()
	eventually(t, "Discord sees the connections go", func() bool { return d.stats().Connections == 0 })
}

// A node that starts CONTROL gives it a numbered channel. CONTROL's bots do not have that file, and
// must not see its number.
func TestDiscordJSUnderControlUnderNode(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 1, 1)
	s := d.settings()
	maps.Copy(s, discordJS)
	channel := []string{"NODE_CHANNEL_FD=77", "NODE_CHANNEL_SERIALIZATION_MODE=json", "NODE_UNIQUE_ID=1"}
	p := control(t, append(runEnv(t, s), channel...), "run", "--", node(t), "node/discordjs.mjs")
	p.line("cluster.ready")
	p.stop()
	if all := p.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
}

// The same bot with readiness and health by HTTP: it is back after a kill, and found and replaced
// when it hangs.
func TestDiscordJSProbed(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 2, 2, "--jitter", "20ms")
	s := bySite(t)
	maps.Copy(s, settings{"cluster.heartbeat_interval": "1s"})
	b := startMake(t, d, 2, 1, s, node(t), "node/discordjs.mjs")
	b.logged("cluster.ready", 2)
	dies, hangs := b.of("0"), b.of("1")
	b.signal(dies, syscall.SIGKILL)
	b.signal(hangs, syscall.SIGSTOP)
	if cause := b.replaced("0", dies); !strings.HasPrefix(cause, "exited") {
		t.Errorf("the killed one died of %s", cause)
	}
	if cause := b.replaced("1", hangs); !strings.HasPrefix(cause, "mute: 6 probes failed") {
		t.Errorf("the one that hangs died of %s", cause)
	}
	if s := d.stats(); s.Identifies != 4 || s.Violations > 0 || s.Duplicates > 0 {
		t.Errorf("%d identifies of 2 shards that were started twice, %d violations, %d duplicates", s.Identifies, s.Violations, s.Duplicates)
	}
	b.stop()
}

// inTurn expects shards 0 and 1 READY before 2 and 3 identified, or the other way round.
func (d *discord) inTurn() {
	d.t.Helper()
	all := d.stats().Shards
	before := func(first, then int) bool { return !all[then].IdentifyAt[0].Before(all[first].FirstReady) }
	if !before(1, 2) && !before(3, 0) {
		for _, s := range all {
			d.t.Errorf("shard %d identified at %v and was READY at %v", s.Shard, s.IdentifyAt, s.FirstReady)
		}
	}
}
