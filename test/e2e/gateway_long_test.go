//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// behind returns the process that runs a program behind a gateway host; 0: none.
func (b *bots) behind(program string) int {
	for _, pid := range b.clusters() {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == program {
			return pid
		}
	}
	return 0
}

// counted are the numbered messages in the bots' logs, by process and shard, in order.
func (b *bots) counted() map[[2]string][]int {
	b.t.Helper()
	all := map[[2]string][]int{}
	var logs []string
	for _, state := range append(b.others, b.state) {
		some, err := filepath.Glob(filepath.Join(state, "logs", "*.log"))
		if err != nil {
			b.t.Fatal(err)
		}
		logs = append(logs, some...)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			b.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if len(words) != 4 || words[0] != "message" {
				continue
			}
			if n, err := strconv.Atoi(words[3]); err == nil {
				by := [2]string{words[1], words[2]}
				all[by] = append(all[by], n)
			}
		}
	}
	return all
}

// following returns a function that waits until a process of the program that it has not returned
// reads messages on each of four shards.
func (b *bots) following(program string) (next func(what string) int) {
	last := 0
	return func(what string) int {
		b.t.Helper()
		eventually(b.t, what, func() bool {
			pid, all := b.behind(program), b.counted()
			return pid != 0 && pid != last && !slices.ContainsFunc([]string{"0", "1", "2", "3"}, func(shard string) bool {
				return len(all[[2]string{strconv.Itoa(pid), shard}]) < 20
			})
		})
		last = b.behind(program)
		return last
	}
}

// missedNone expects each shard's messages in order in every process, and all of them in one or
// another. The first, early, may be out of order: discord.js queues what comes before all its
// shards are READY, and handles it between later events.
func (b *bots) missedNone() {
	b.t.Helper()
	seen := map[string][]int{}
	for by, numbers := range b.counted() {
		slices.Sort(numbers[:min(len(numbers), b.early)])
		for i := 1; i < len(numbers); i++ {
			if numbers[i] != numbers[i-1]+1 {
				b.t.Errorf("process %s, shard %s: %d came after %d", by[0], by[1], numbers[i], numbers[i-1])
			}
		}
		seen[by[1]] = append(seen[by[1]], numbers...)
	}
	for shard, numbers := range seen {
		slices.Sort(numbers)
		if all := slices.Compact(numbers); all[0] != 1 || all[len(all)-1] != len(all) {
			b.t.Errorf("shard %s: %d messages from %d to %d", shard, len(all), all[0], all[len(all)-1])
		}
	}
}

// A bot that cannot resume, behind a gateway host, which can, and a shell, as npm starts one. The
// shell is killed, the bot hangs, and the host is killed, which the bot outlives. Discord sees one
// identify a shard, and the bots together every message, in order.
func TestGatewayHost(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 4, 4, "--guilds", "8", "--events", "20")
	b := startMake(t, d, 4, 4, settings{roleSetting: "counts"}, binary, "gateway", "--dir", folder(t), "--", "sh", "-c", `"$0"; exit 1`, self)
	b.logged("cluster.ready", 1)
	next := b.following(self)
	alone := func(what string) int {
		t.Helper()
		pid := next(what)
		if n := len(b.clusters()); n != 3 {
			t.Errorf("%s: %d processes, want the host, the shell and the bot", what, n)
		}
		return pid
	}
	b.signal(parent(t, alone("the bot reads messages")), syscall.SIGKILL)
	b.signal(alone("another bot reads messages"), syscall.SIGSTOP)
	last := alone("a bot in place of one that hangs reads messages")
	b.logged("bot.died", 2)
	if died := b.lines("bot.died"); len(died) != 2 || died[0]["err"] != "signal killed" || died[1]["err"] != "killed: no answer to pings" || !strings.Contains(fmt.Sprint(died[0]["output"]), "message ") {
		t.Errorf("deaths: %v", died)
	}
	b.signal(parent(t, parent(t, last)), syscall.SIGKILL)
	b.goesOn("the bot reads on behind another host", last, "0", "1", "2", "3")
	if s := d.stats(); s.Identifies != 4 || s.Violations > 0 || s.Resumes != 4 {
		t.Errorf("%d identifies and %d resumes of 4 shards, %d violations", s.Identifies, s.Resumes, s.Violations)
	}
	b.stop()
	b.missedNone()
}

// linked returns a link to a file, in a folder of its own.
func linked(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(file)
	link := filepath.Join(t.TempDir(), filepath.Base(file))
	if err == nil {
		err = os.Symlink(path, link)
	}
	if err != nil {
		t.Fatal(err)
	}
	return link
}

// programOf returns the file that runs for a command, as /proc/<pid>/exe names it.
func programOf(t *testing.T, command string) string {
	t.Helper()
	program, err := filepath.EvalSymlinks(command)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// unmodified has the commands of bots as their libraries' guides write them.
var unmodified = map[string]func(*testing.T) []string{
	"discord.js": func(t *testing.T) []string { return []string{node(t), linked(t, "node/unmodified.mjs")} },
	"discord.py": func(t *testing.T) []string { return []string{python(t), linked(t, "python/unmodified.py")} },
}

// A bot of a library, as its author wrote it: nothing but its command names it, and only CONTROL is
// configured for this Discord. It is killed, CONTROL is killed and upgraded, and the fleet is
// restarted. Discord sees one identify a shard, and the bots every message.
func TestUnmodified(t *testing.T) {
	t.Parallel()
	for name, command := range unmodified {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			command := command(t)
			program := programOf(t, command[0])
			link := filepath.Join(folder(t), "control")
			installed(t, link, "control-1", binary)
			b := &bots{d: startDiscord(t, 4, 4, "--guilds", "40", "--events", "20"), state: folder(t), count: 1}
			all := settings{"discord.api": b.d.base, "discord.token": token, "state.dir": b.state, "cluster.shards_per_cluster": "4"}
			b.process = start(t, runEnv(t, all), link, append([]string{"run", "--"}, command...)...)
			if chosen := b.line("cluster protocol chosen"); chosen["protocol"] != "gateway" {
				t.Errorf("chosen: %v", chosen)
			}
			if name == "discord.js" {
				b.early = 100
			}
			b.logged("cluster.ready", 1)
			next := b.following(program)
			b.signal(next("the bot reads messages"), syscall.SIGKILL)
			second := next("another bot reads messages")
			clusters := control(t, nil, "clusters", "--json", "--state.dir="+b.state)
			if clusters.exit(); !strings.Contains(clusters.stdout.String(), `"restarts":1,`) {
				t.Errorf("not one restart: %s", clusters.stdout.String())
			}
			before := b.clusters()
			b = b.killed()
			b.logged("cluster.adopted", 1)
			installed(t, link, "control-2", binary)
			if code, output := b.order("--state.dir=" + b.state); code != 0 {
				t.Fatalf("exit %d: %s", code, output)
			}
			b.logged("cluster.adopted", 2)
			b.kept(before)
			if s := b.d.stats(); b.behind(program) != second || s.Resumes > 0 {
				t.Errorf("the bot is process %d, was %d; %d resumes", b.behind(program), second, s.Resumes)
			}
			order := control(t, nil, "rolling-restart", "--yes", "--state.dir="+b.state)
			if code := order.exit(); code != 0 {
				t.Errorf("rolling restart: exit %d", code)
			}
			next("a bot of the next host reads messages")
			b.cared()
			if s := b.d.stats(); s.Resumes != 4 {
				t.Errorf("%d resumes of 4 shards in a rolling restart", s.Resumes)
			}
			b.stop()
			b.missedNone()
			for _, dir := range []string{"gateway", "gateway/cluster-0", "gateway/cluster-0/python"} {
				if info, err := os.Stat(filepath.Join(b.state, dir)); err != nil || info.Mode().Perm() != 0o700 {
					t.Errorf("%s: %v, %v", dir, info, err)
				}
			}
		})
	}
}
