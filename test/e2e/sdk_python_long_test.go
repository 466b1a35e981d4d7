//go:build e2e

package e2e

import (
	"strings"
	"syscall"
	"testing"
)

// printedBy returns the output of a cluster's bots, over all runs.
func (b *bots) printedBy(cluster string) string { return b.output("cluster-" + cluster + "-*") }

// prints waits until a cluster's bots print a line, after the part of their output that is given.
func (b *bots) prints(cluster, line string, after int) {
	b.t.Helper()
	eventually(b.t, "cluster "+cluster+" prints "+line, func() bool {
		return strings.Contains("\n"+b.printedBy(cluster)[after:], "\n"+line)
	})
}

// goodAnswers expects the bots of the Python example to know each other: 8 guilds in two clusters.
func (b *bots) goodAnswers() {
	b.t.Helper()
	for _, cluster := range []string{"0", "1"} {
		b.prints(cluster, "guilds 8\n", 0)
		b.prints(cluster, "shard 2 of cluster 1 is ", 0)
		b.prints(cluster, "guild ", 0) // has a name, by its owner's answer
	}
	b.prints("0", "cluster 0 hears of cluster 1: {'ready': 1}\n", 0)
}

// partialAnswers expects cluster 1 to have an error for cluster 0, whose bot is killed, and the
// right answer later.
func (b *bots) partialAnswers(bot int) {
	b.t.Helper()
	before := len(b.printedBy("1"))
	b.signal(bot, syscall.SIGKILL)
	b.prints("1", "guilds of cluster 0 are unknown: ", before)
	b.prints("1", "guilds 4\n", before)
	at := before + strings.Index(b.printedBy("1")[before:], "guilds of cluster 0 are unknown: ")
	b.prints("1", "guilds 8\n", at)
}

// The example of the Python library, with discord.py, directly under CONTROL: each identify has a
// permit, the clusters answer each other, one that is dead costs its own answer only, and the next
// CONTROL takes them back.
func TestPythonExample(t *testing.T) {
	d := startDiscord(t, 4, 1, "--guilds", "8")
	b := startMake(t, d, 4, 2, settings{"cluster.protocol": "sdk", "cluster.env.EXAMPLE_EVERY": "0.1"}, python(t), "python/example.py")
	b.logged("cluster.ready", 2)
	b.goodAnswers()
	b.cared()
	before := b.clusters()
	b = b.killed()
	b.logged("cluster.adopted", 2)
	b.kept(before)
	for _, cluster := range []string{"0", "1"} {
		b.prints(cluster, "guilds 8\n", len(b.printedBy(cluster)))
	}
	b.cared()
	if all := b.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
	b.partialAnswers(b.of("0"))
	if s := d.stats(); s.Identifies != 6 || s.Violations > 0 || s.Duplicates > 0 {
		t.Errorf("%d identifies of 4 shards, two of which were started twice, %d violations, %d duplicates", s.Identifies, s.Violations, s.Duplicates)
	}
	b.stop()
	for _, cluster := range []string{"0", "1"} {
		b.prints(cluster, "cluster "+cluster+" ends after ", 0)
	}
	if strings.Contains(b.printed(), "Traceback") {
		t.Errorf("the bots printed:\n%s", short(b.printed()))
	}
	eventually(t, "Discord sees the connections go", func() bool { return d.stats().Connections == 0 })
}

// The same example behind gateway hosts, which speak to it as CONTROL does: the same answers, and
// the death of a bot costs its own answer only, and no identify. A bot whose host died is taken
// back by the next one.
func TestPythonExampleBehindHosts(t *testing.T) {
	command := python(t)
	program := programOf(t, command)
	d := startDiscord(t, 4, 4, "--guilds", "8")
	// Only CONTROL is configured for this Discord.
	b := startMake(t, d, 4, 2, settings{"cluster.env.DISCORD_API": "-", "cluster.env.EXAMPLE_EVERY": "0.1"}, command, "python/example.py")
	b.logged("cluster.ready", 2)
	b.goodAnswers()
	before, _ := b.hosted("0", program)
	b.partialAnswers(before)
	bot, host := b.hosted("0", program)
	if s := d.stats(); bot == 0 || bot == before || s.Resumes > 0 {
		t.Errorf("bot %d after the death of bot %d, %d resumes", bot, before, s.Resumes)
	}
	b.signal(host, syscall.SIGKILL)
	eventually(t, "another host runs", func() bool {
		_, now := b.hosted("0", program)
		return now != 0 && now != host
	})
	b.prints("0", "guilds 8\n", len(b.printedBy("0")))
	if now, _ := b.hosted("0", program); now != bot {
		t.Errorf("bot %d after the death of its host, was %d", now, bot)
	}
	b.cared()
	b.stop()
	for _, cluster := range []string{"0", "1"} {
		b.prints(cluster, "cluster "+cluster+" ends after ", 0)
	}
	if strings.Contains(b.printed(), "Traceback") {
		t.Errorf("the bots printed:\n%s", short(b.printed()))
	}
}
