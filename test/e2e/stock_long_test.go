//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// discordoo starts clusters of stock Discordoos, which node/discordoo.mjs simulates, with their
// sockets in the state folder.
func discordoo(t *testing.T, d *discord, shards, perCluster int, s settings, character ...string) *bots {
	t.Helper()
	all := settings{"cluster.protocol": "discordoo", "cluster.socket_prefix": stateFolder + "/ddoo", "cluster.env.SOCKET_ROOT": stateFolder + "/"}
	maps.Copy(all, s)
	return startMake(t, d, shards, perCluster, all, append([]string{node(t), "node/discordoo.mjs"}, character...)...)
}

// sockets returns the sockets of stock Discordoos.
func (b *bots) sockets() []string {
	b.t.Helper()
	all, err := filepath.Glob(filepath.Join(b.state, "ddoo*"))
	if err != nil {
		b.t.Fatal(err)
	}
	return all
}

// printed returns the output of all bots, over all runs.
func (b *bots) printed() string { return b.output("*") }

// output returns the content of the logs whose names match a pattern.
func (b *bots) output(pattern string) string {
	b.t.Helper()
	logs, err := filepath.Glob(filepath.Join(b.state, "logs", pattern))
	if err != nil {
		b.t.Fatal(err)
	}
	var all strings.Builder
	for _, path := range logs {
		text, err := os.ReadFile(path)
		if err != nil {
			b.t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// Stock Discordoos, two clusters of two shards in one bucket: they start one after the other, the
// next CONTROL adopts them, and at the end each is asked to go.
func TestStock(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 4, 1, "--jitter", "20ms")
	b := discordoo(t, d, 4, 2, nil)
	eventually(t, "the first cluster is READY", func() bool { return d.stats().Owned >= 2 })
	b.logged("cluster.ready", 2)
	b.cared()
	d.inTurn()
	before := b.clusters()
	b = b.killed()
	b.logged("cluster.adopted", 2)
	b.kept(before)
	d.fault(`{"kind":"reconnect"}`)
	eventually(t, "every shard has resumed", func() bool { return strings.Count(b.printed(), "resumed ") == 4 })
	b.cared()
	if all := b.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
	if n := len(b.sockets()); n != 2 {
		t.Errorf("sockets %v, want two", b.sockets())
	}
	b.stop()
	if n := strings.Count(b.printed(), "DESTROYING"); n != 2 {
		t.Errorf("%d of two were asked to go:\n%s", n, b.printed())
	}
	if left := b.sockets(); len(left) > 0 {
		t.Errorf("sockets are left: %v", left)
	}
	eventually(t, "Discord sees the connections go", func() bool { return d.stats().Connections == 0 })
}

// A stock Discordoo that is killed, and one that hangs, which only HELLO shows: both are restarted,
// each on a socket of its own.
func TestStockDies(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 2, 2, "--jitter", "20ms")
	b := discordoo(t, d, 2, 1, settings{"cluster.heartbeat_interval": "1s"})
	b.logged("cluster.ready", 2)
	dies, hangs := b.of("0"), b.of("1")
	b.signal(dies, syscall.SIGKILL)
	b.signal(hangs, syscall.SIGSTOP)
	if cause := b.replaced("0", dies); !strings.HasPrefix(cause, "exited") {
		t.Errorf("the killed one died of %s", cause)
	}
	if cause := b.replaced("1", hangs); !strings.HasPrefix(cause, "mute: 6 HELLOs were not answered") {
		t.Errorf("the one that hangs died of %s", cause)
	}
	if s := d.stats(); s.Identifies != 4 || s.Violations > 0 || s.Duplicates > 0 {
		t.Errorf("%d identifies of 2 shards that were started twice, %d violations, %d duplicates", s.Identifies, s.Violations, s.Duplicates)
	}
	if n := len(b.sockets()); n != 2 {
		t.Errorf("sockets %v, want two", b.sockets())
	}
	b.stop()
}

// A packet over the size limit, which nothing upstream forbids, costs the bot its link: the log has
// the reason, and the next HELLO opens another link.
func TestStockShouts(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 1, 1)
	b := discordoo(t, d, 1, 1, nil, "shouts")
	b.logged("cluster.ready", 1)
	b.complained("packet.dropped", "longer than 8388608 bytes")
	pid := b.of("0")
	eventually(t, "HELLO has opened another link", func() bool { return strings.Count(b.printed(), "HELLO again") > 0 })
	if now := b.of("0"); now != pid {
		t.Errorf("process %d, was %d", now, pid)
	}
	b.stop()
	if n := strings.Count(b.printed(), "DESTROYING"); n != 1 {
		t.Errorf("it was not asked to go:\n%s", b.printed())
	}
	d.wellBehaved()
}

// A token that REST or the gateway refuses is reported by a text only. A token that is revoked
// while the bot serves ends the bot without a message, and is reported at its next start. Neither
// is retried after that.
func TestStockTokenRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		shards, owned int // number of its shards that are READY when the token is refused
		starts        int
		text          string
	}{
		"before its start":       {1, 0, 1, "Invalid token provided"},
		"between its two shards": {2, 1, 1, "Shard 1 can not be connected because it received close code 4004"},
		"while it serves":        {1, 1, 2, "Invalid token provided"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := startDiscord(t, c.shards, 1)
			if c.owned == 0 {
				d.fault(`{"kind":"refuse_token"}`)
			}
			b := discordoo(t, d, c.shards, c.shards, settings{"fleet.shards": strconv.Itoa(c.shards), "fleet.max_concurrency": "1"})
			if c.owned > 0 {
				eventually(t, "as many as that are READY", func() bool { return d.stats().Owned == c.owned })
				if c.owned == c.shards {
					b.logged("cluster.ready", 1)
				}
				d.fault(`{"kind":"refuse_token"}`)
			}
			if c.owned == c.shards {
				d.fault(`{"kind":"close","shard":0,"code":4000}`)
			}
			fatal := b.line("cluster.fatal")
			if fatal["close_code"] != 4004.0 || !strings.Contains(fmt.Sprint(fatal), c.text) {
				t.Errorf("fatal: %v", fatal)
			}
			eventually(t, "its process ends", func() bool { return len(b.clusters()) == 0 })
			b.stop()
			if n := strings.Count(b.printed(), "HELLO ["); n != c.starts {
				t.Errorf("%d starts, want %d", n, c.starts)
			}
			if left := b.sockets(); len(left) > 0 {
				t.Errorf("sockets are left: %v", left)
			}
		})
	}
}

// Bots whose manager CONTROL cannot be: the log has the kind of bot, and CONTROL gives up.
func TestStockRefused(t *testing.T) {
	t.Parallel()
	for character, want := range map[string]string{
		"old":      "it is a Discordoo older than v0.11, whose IPC has other numbers; v0.11 and later work",
		"imposter": "IDENTIFY bore the id",
		"stranger": "the bot refused HELLO: it takes another manager than",
	} {
		t.Run(character, func(t *testing.T) {
			t.Parallel()
			d := startDiscord(t, 2, 2)
			b := discordoo(t, d, 2, 2, nil, character)
			causes, _ := b.line("cluster.gave_up")["causes"].([]any)
			if len(causes) != 4 {
				t.Errorf("causes: %v", causes)
			}
			for _, cause := range causes {
				if text, _ := cause.(string); !strings.HasPrefix(text, "start_failed: ") || !strings.Contains(text, want) {
					t.Errorf("cause %q, want %s", cause, want)
				}
			}
			b.stop()
			if left := b.sockets(); len(left) > 0 || d.stats().Identifies > 0 {
				t.Errorf("sockets left: %v, identifies: %d", left, d.stats().Identifies)
			}
		})
	}
}
