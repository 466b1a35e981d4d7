//go:build e2e

package e2e

import (
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// hosted returns the processes of a cluster's bot and of its gateway host; 0: none.
func (b *bots) hosted(cluster, program string) (bot, host int) {
	for _, pid := range b.byCluster()[cluster] {
		switch exe, _ := os.Readlink("/proc/" + strconv.Itoa(pid) + "/exe"); exe {
		case program:
			bot = pid
		case binary:
			host = pid
		}
	}
	return bot, host
}

// guilds returns the guilds that a process has printed.
func (b *bots) guilds(pid int) map[string]bool {
	b.t.Helper()
	all := map[string]bool{}
	for line := range strings.Lines(b.printed()) {
		if id, ok := strings.CutPrefix(line, "guild "+strconv.Itoa(pid)+" "); ok {
			all[strings.TrimSpace(id)] = true
		}
	}
	return all
}

// reading waits until a cluster's bot, another process than before, has two guilds for each of its
// shards and reads messages on them.
func (b *bots) reading(cluster, program string, before int, shards ...string) (bot, host int) {
	b.t.Helper()
	eventually(b.t, "a bot of cluster "+cluster+" reads messages", func() bool {
		bot, host = b.hosted(cluster, program)
		all := b.counted()
		return bot != 0 && bot != before && host != 0 && len(b.guilds(bot)) == 2*len(shards) &&
			!slices.ContainsFunc(shards, func(shard string) bool {
				return len(all[[2]string{strconv.Itoa(bot), shard}]) < 20
			})
	})
	return bot, host
}

// Bots of further libraries behind gateway hosts, as transport/bot/README.md points them there, in
// two clusters of two shards. The bot of one is killed, then its host. Discord sees one identify a
// shard, each bot gets its guilds, and the bots together every message, in order.
func TestLibrariesBehindHosts(t *testing.T) {
	t.Parallel()
	script := func(file string) func(*testing.T) []string {
		return func(t *testing.T) []string { return []string{node(t), linked(t, "node/hosted/"+file)} }
	}
	program := func(name string) func(*testing.T) []string {
		return func(t *testing.T) []string { return []string{foreign(t, name)} }
	}
	named := settings{"cluster.protocol": "gateway"}
	for name, c := range map[string]struct {
		command  func(*testing.T) []string
		settings settings // none: auto, as the command is an interpreter
	}{
		"eris":          {command: script("eris.mjs")},
		"oceanic.js":    {command: script("oceanic.mjs")},
		"@discordjs/ws": {command: script("ws.mjs")},
		"disgo":         {program("hosted-disgo"), named},
		"discordgo":     {program("hosted-discordgo"), named},
		"arikawa":       {program("hosted-arikawa"), named},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := c.command(t)
			program := programOf(t, command[0])
			all := settings{"cluster.env.DISCORD_API": "-"} // only CONTROL is configured for this Discord
			maps.Copy(all, c.settings)
			b := startMake(t, startDiscord(t, 4, 4, "--guilds", "8", "--events", "20"), 4, 2, all, command...)
			b.logged("cluster.ready", 2)
			bot, _ := b.reading("0", program, 0, "0", "1")
			b.reading("1", program, 0, "2", "3")
			b.signal(bot, syscall.SIGKILL)
			bot, host := b.reading("0", program, bot, "0", "1")
			if s := b.d.stats(); s.Resumes > 0 {
				t.Errorf("%d resumes after the death of a bot", s.Resumes)
			}
			if printed := b.printed(); strings.Contains(printed, "error ") {
				t.Errorf("the bots complain:\n%s", short(printed))
			}
			b.signal(host, syscall.SIGKILL)
			b.goesOn("the bot reads on behind another host", bot, "0", "1")
			b.cared()
			if s := b.d.stats(); s.Resumes != 2 || s.ResumesRefused > 0 {
				t.Errorf("%d resumes of 2 shards whose host died, %d refused", s.Resumes, s.ResumesRefused)
			}
			if n := len(b.lines("bot.died")); n != 1 {
				t.Errorf("%d deaths of bots whose hosts lived", n)
			}
			b.stop()
			b.missedNone()
		})
	}
}
