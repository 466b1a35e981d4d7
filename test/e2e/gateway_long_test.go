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

// behind returns the process of the bot that runs behind a gateway host; 0: none.
func (b *bots) behind() int {
	for _, pid := range b.clusters() {
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == self {
			return pid
		}
	}
	return 0
}

// counted are the numbered messages in the bots' logs, by process and shard, in order.
func (b *bots) counted() map[[2]string][]int {
	b.t.Helper()
	all := map[[2]string][]int{}
	logs, err := filepath.Glob(filepath.Join(b.state, "logs", "*.log"))
	if err != nil {
		b.t.Fatal(err)
	}
	for _, log := range logs {
		text, err := os.ReadFile(log)
		if err != nil {
			b.t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			words := strings.Fields(line)
			if n, err := strconv.Atoi(words[max(0, len(words)-1)]); len(words) == 4 && words[0] == "message" && err == nil {
				by := [2]string{words[1], words[2]}
				all[by] = append(all[by], n)
			}
		}
	}
	return all
}

// A bot that cannot resume, behind a gateway host, which can: the bot is killed, hangs, and is
// killed with its host. Discord sees one identify a shard, and the bots together every message, in
// order.
func TestGatewayHost(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 4, 4, "--guilds", "8", "--events", "20")
	b := startMake(t, d, 4, 4, settings{roleSetting: "counts"}, binary, "gateway", "--dir", folder(t), "--", self)
	b.logged("cluster.ready", 1)
	reads := func(pid int) bool {
		messages := b.counted()
		return !slices.ContainsFunc([]string{"0", "1", "2", "3"}, func(shard string) bool {
			return len(messages[[2]string{strconv.Itoa(pid), shard}]) < 20
		})
	}
	last := 0
	next := func(what string) int {
		t.Helper()
		eventually(t, what, func() bool { pid := b.behind(); return pid != 0 && pid != last && reads(pid) })
		last = b.behind()
		return last
	}
	_ = syscall.Kill(next("the bot reads messages"), syscall.SIGKILL)
	_ = syscall.Kill(next("another bot reads messages"), syscall.SIGSTOP)
	next("a bot in place of one that hangs reads messages")
	host := slices.DeleteFunc(b.clusters(), func(pid int) bool { return pid == last })
	if len(host) != 1 {
		t.Fatalf("processes %v beside the bot, want the host", host)
	}
	_ = syscall.Kill(host[0], syscall.SIGKILL)
	next("a bot of another host reads messages")
	if s := d.stats(); s.Identifies != 4 || s.Violations > 0 || s.Resumes != 4 {
		t.Errorf("%d identifies and %d resumes of 4 shards, %d violations", s.Identifies, s.Resumes, s.Violations)
	}
	b.stop()
	seen := map[string][]int{}
	for by, numbers := range b.counted() {
		for i := 1; i < len(numbers); i++ {
			if numbers[i] != numbers[i-1]+1 {
				t.Errorf("process %s, shard %s: %d came after %d", by[0], by[1], numbers[i], numbers[i-1])
			}
		}
		seen[by[1]] = append(seen[by[1]], numbers...)
	}
	for shard, numbers := range seen {
		slices.Sort(numbers)
		if all := slices.Compact(numbers); all[0] != 1 || all[len(all)-1] != len(all) {
			t.Errorf("shard %s: %d messages from %d to %d", shard, len(all), all[0], all[len(all)-1])
		}
	}
}
