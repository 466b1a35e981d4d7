//go:build e2e

package e2e

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// bareNode returns the path of node, which needs no package for this, or skips the test.
func bareNode(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is not installed")
	}
	return program
}

// The example of transport/bot/node under CONTROL: two clusters ask each other, send messages and
// show their shards. One is killed: the other gets its error beside its own answer, and both
// answers again once it is back. The next CONTROL adopts both, and at the end each is drained.
func TestNodeExample(t *testing.T) {
	t.Parallel()
	program := bareNode(t)
	b := startMake(t, startDiscord(t, 4, 4), 4, 2, settings{"cluster.protocol": "sdk", "cluster.env.EXAMPLE_EVERY": "20"},
		program, "../../transport/bot/node/example.mjs")
	b.logged("cluster.ready", 2)
	b.prints("1", "cluster 1 of 2, shards 2,3\n", 0)
	for _, text := range []string{
		"cluster 0 of 2, shards 0,1\n", "guilds: 0 has 10,1 has 11\n", "server 25165824, shard 2: RangeError: least is -1: want at least 0\n",
		"shards: 0 is ready,1 is ready,2 is ready,3 is ready\n", "message of cluster 1: hello of 1\n",
	} {
		b.prints("0", text, 0)
	}
	before := len(b.printedBy("0"))
	b.signal(b.of("1"), syscall.SIGKILL)
	b.prints("0", "guilds: 0 has 10\ncluster 1 did not answer: ", before)
	b.prints("0", "guilds: 0 has 10,1 has 11\n", len(b.printedBy("0")))
	b.logged("cluster.ready", 3)
	running := b.clusters()
	b = b.killed()
	b.logged("cluster.adopted", 2)
	b.prints("0", "guilds: 0 has 10,1 has 11\n", len(b.printedBy("0")))
	b.kept(running)
	b.stop()
	if n := strings.Count(b.printed(), "drained until "); n != 2 {
		t.Errorf("%d of two were drained:\n%s", n, short(b.printed()))
	}
}

// A discord.js bot without a gateway host, in two clusters of one bucket: each identify waits for
// its permit. One bot is killed, CONTROL is killed, the sessions are closed, and the fleet is
// restarted: every shard resumes what CONTROL kept, with its guilds, and the bots read every
// message, in order.
func TestNodePermits(t *testing.T) {
	program := node(t)
	d := startDiscord(t, 4, 1, "--jitter", "20ms", "--guilds", "8", "--events", "5")
	b := startMake(t, d, 4, 2, settings{"cluster.protocol": "sdk"}, program, "node/sdk.mjs")
	guilds := map[string]string{"0": "guild 1 true 4 true, guild 4 true 4 true, guild 5 true 4 true, guild 8 true 4 true\n",
		"1": "guild 2 true 4 true, guild 3 true 4 true, guild 6 true 4 true, guild 7 true 4 true\n"}
	reads := func(cluster, what string, shards ...string) {
		t.Helper()
		pid := strconv.Itoa(b.of(cluster))
		b.prints(cluster, "ready "+pid+" simulated "+guilds[cluster], 0)
		before := b.counted()
		eventually(t, what, func() bool {
			now := b.counted()
			return !slices.ContainsFunc(shards, func(shard string) bool {
				by := [2]string{pid, shard}
				return len(now[by]) < len(before[by])+10
			})
		})
	}
	resumed := func(n int) {
		t.Helper()
		eventually(t, strconv.Itoa(n)+" resumes", func() bool { return d.stats().Resumes == n })
		b.cared()
	}
	b.logged("cluster.ready", 2)
	b.cared()
	b.signal(b.of("1"), syscall.SIGKILL)
	b.logged("cluster.ready", 3)
	resumed(2)
	reads("0", "the bot reads messages", "0", "1")
	reads("1", "the next process reads messages", "2", "3")
	running := b.clusters()
	b = b.killed()
	b.logged("cluster.adopted", 2)
	b.kept(running)
	d.fault(`{"kind":"reconnect"}`)
	resumed(6)
	reads("0", "the bot reads on", "0", "1")
	b.stop()
	b.process = b.again()
	b.logged("cluster.ready", 2)
	resumed(10)
	reads("0", "the bot of the next fleet reads messages", "0", "1")
	reads("1", "the bot of the next fleet reads messages", "2", "3")
	if all := b.complaints(); len(all) > 0 {
		t.Errorf("complaints: %v", all)
	}
	b.stop()
	b.missedNone()
	if s := d.stats(); s.ResumesRefused > 0 {
		t.Errorf("%d resumes refused", s.ResumesRefused)
	}
}

// The same bot behind gateway hosts, which pace its shards and keep its sessions: the clusters ask
// each other as before. A bot that is killed costs an error in between, and no identify.
func TestNodeBehindHosts(t *testing.T) {
	t.Parallel()
	program := programOf(t, node(t))
	d := startDiscord(t, 4, 4, "--jitter", "20ms", "--guilds", "8", "--events", "5")
	b := startMake(t, d, 4, 2, settings{"cluster.protocol": "gateway", "cluster.env.DISCORD_API": "-"}, program, "node/sdk.mjs")
	b.logged("cluster.ready", 2)
	for _, cluster := range []string{"0", "1"} {
		b.prints(cluster, "guilds 0 4 1 4\n", 0)
	}
	bot, _ := b.hosted("1", program)
	before := len(b.printedBy("0"))
	b.signal(bot, syscall.SIGKILL)
	b.prints("0", "guilds 1 error ", before)
	b.prints("0", "guilds 0 4\n", before)
	b.prints("0", "guilds 0 4 1 4\n", len(b.printedBy("0")))
	b.cared()
	if s := d.stats(); s.Identifies != 4 {
		t.Errorf("%d identifies of 4 shards", s.Identifies)
	}
	b.stop()
}
