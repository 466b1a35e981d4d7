//go:build e2e

package e2e

import (
	"encoding/json"
	"maps"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// goesOn waits until a bot has read another twenty messages on each of its shards.
func (b *bots) goesOn(what string, pid int, shards ...string) {
	b.t.Helper()
	of := func(shard string) int { return len(b.counted()[[2]string{strconv.Itoa(pid), shard}]) }
	before := map[string]int{}
	for _, shard := range shards {
		before[shard] = of(shard)
	}
	eventually(b.t, what, func() bool {
		return !slices.ContainsFunc(shards, func(shard string) bool { return of(shard) < before[shard]+20 })
	})
}

// record returns the file in which the host of cluster 0 has its bot.
func (b *bots) record() string { return filepath.Join(b.state, "gateway", "cluster-0", "bot.json") }

// gateway returns the address at which the bot of cluster 0 finds its gateway.
func (b *bots) gateway() string {
	b.t.Helper()
	var record struct{ URL string }
	data, err := os.ReadFile(b.record())
	if err == nil {
		err = json.Unmarshal(data, &record)
	}
	u, bad := url.Parse(record.URL)
	if err != nil || bad != nil {
		b.t.Fatal(err, bad)
	}
	return u.Host
}

// A gateway host is killed alone, three times, then with CONTROL: the bot lives on, and every next
// host goes on with it. Discord sees one identify a shard, and the bot every message, in order and
// once. Another program takes the host's port before the next one can: the bot is replaced. An
// ordered stop while a host is dead leaves nothing.
func TestBotOutlivesItsHost(t *testing.T) {
	t.Parallel()
	bots := maps.Clone(unmodified)
	bots["discord.js, a guest"] = unmodified["discord.js"]
	for name, command := range bots {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := command(t)
			program := programOf(t, command[0])
			all := settings{"cluster.env.DISCORD_API": "-"}
			if name == "discord.js, a guest" {
				all["cluster.guest"] = "discordjs"
			}
			b := startMake(t, startDiscord(t, 4, 4, "--guilds", "40", "--events", "20"), 4, 4, all, command...)
			if strings.HasPrefix(name, "discord.js") {
				b.early = 100
			}
			b.logged("cluster.ready", 1)
			next := b.following(program)
			bot := next("the bot reads messages")
			host := func() int {
				t.Helper()
				_, host := b.hosted("0", program)
				if host == 0 {
					t.Fatal("there is no host")
				}
				return host
			}
			for i := range 3 {
				b.signal(host(), syscall.SIGKILL)
				b.logged("cluster.ready", i+2)
				b.goesOn("the bot reads on behind the next host", bot, "0", "1", "2", "3")
			}
			last := host()
			b.crash()
			b.signal(last, syscall.SIGKILL)
			b.process = b.again()
			b.logged("cluster.ready", 1)
			b.goesOn("the bot reads on behind the host of the next CONTROL", bot, "0", "1", "2", "3")
			b.cared()
			if s := b.d.stats(); s.Identifies != 4 || s.Resumes != 16 {
				t.Errorf("%d identifies of 4 shards, %d resumes of 4 hosts", s.Identifies, s.Resumes)
			}
			b.missedNone()
			if printed := b.printed(); strings.Contains(printed, "Error") {
				t.Errorf("the bot complains:\n%s", short(printed))
			}

			at := b.gateway()
			last = host()
			b.crash()
			b.signal(last, syscall.SIGKILL)
			eventually(t, "another program has the port", func() bool {
				l, err := net.Listen("tcp", at)
				if err == nil {
					t.Cleanup(func() { _ = l.Close() })
				}
				return err == nil
			})
			b.process = b.again()
			next("another bot reads messages")
			b.cared()
			b.signal(host(), syscall.SIGKILL)
			b.stop()
			b.missedNone()
		})
	}
}
