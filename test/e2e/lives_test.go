package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// bots is a CONTROL whose clusters are the reference bot, with their Discord.
type bots struct {
	*process
	d     *discord
	state string // its path
	count int    // of clusters
	early int    // messages of a process that may be out of order, see missedNone
	// state folders of other machines whose bots count, see counted
	others []string
}

// startBots starts clusters of perCluster shards, which may all identify at once, and does not wait
// for them.
func startBots(t *testing.T, shards, perCluster int, s settings, discordArgs ...string) *bots {
	t.Helper()
	return startMake(t, startDiscord(t, shards, shards, discordArgs...), shards, perCluster, s, binary, "bot")
}

// startMake starts clusters of any bot against a Discord.
func startMake(t *testing.T, d *discord, shards, perCluster int, s settings, command ...string) *bots {
	t.Helper()
	b := &bots{d: d, state: folder(t), count: (shards + perCluster - 1) / perCluster}
	all := d.settings()
	all["state.dir"], all["cluster.shards_per_cluster"] = b.state, strconv.Itoa(perCluster)
	maps.Copy(all, s)
	for key, value := range all {
		all[key] = strings.ReplaceAll(value, stateFolder, b.state)
	}
	b.process = run(t, all, command...)
	return b
}

// stateFolder is replaced by the state folder in the settings of startMake.
const stateFolder = "STATE"

// serving starts bots and waits until all shards are READY.
func serving(t *testing.T, shards, perCluster int, s settings, discordArgs ...string) *bots {
	t.Helper()
	b := startBots(t, shards, perCluster, s, discordArgs...)
	b.logged("cluster.ready", b.count)
	return b
}

// logged waits until a message was logged that often.
func (b *bots) logged(message string, times int) {
	b.t.Helper()
	eventually(b.t, message, func() bool { return len(b.lines(message)) >= times })
}

// killed kills CONTROL as kill -9 does and starts it again.
func (b *bots) killed() *bots {
	b.t.Helper()
	b.crash()
	next := *b
	next.process = b.again()
	return &next
}

// crash kills CONTROL as kill -9 does.
func (b *bots) crash() {
	b.t.Helper()
	_ = b.cmd.Process.Kill() // it may have ended
	b.exit()
}

// cared expects every shard owned, none by two, and none to have identified more than once.
func (b *bots) cared() {
	b.t.Helper()
	shards := b.d.stats().ShardCount
	eventually(b.t, "every shard is owned", func() bool { return b.d.stats().Owned == shards })
	b.d.wellBehaved()
}

// kept expects exactly these processes to run.
func (b *bots) kept(before []int) {
	b.t.Helper()
	if now := b.clusters(); !slices.Equal(before, now) {
		b.t.Errorf("processes %v, were %v", now, before)
	}
}

// byCluster returns the bots that have a socket in the state folder, by CLUSTER_ID.
func (b *bots) byCluster() map[string][]int {
	all := map[string][]int{}
	for _, pid := range b.clusters() {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		id, in := "", false
		for entry := range strings.SplitSeq(string(text), "\x00") {
			if value, ok := strings.CutPrefix(entry, "CLUSTER_ID="); ok {
				id = value
			}
			in = in || strings.HasPrefix(entry, "DISCLUSTER_SOCKET="+b.state)
		}
		if err == nil && in {
			all[id] = append(all[id], pid)
		}
	}
	return all
}

// at returns when a line was logged.
func (l line) at(t *testing.T) time.Time {
	t.Helper()
	text, _ := l["time"].(string)
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// kill -9 of CONTROL while every cluster serves: the next CONTROL adopts every process, and Discord
// notices nothing.
func TestControlKilled(t *testing.T) {
	t.Parallel()
	controlKilled(t, 4)
}

// controlKilled kills the CONTROL of several clusters of two shards, which the next one must adopt.
func controlKilled(t *testing.T, clusters int) {
	b := serving(t, 2*clusters, 2, nil)
	before := b.clusters()
	began := time.Now()
	b = b.killed()
	b.logged("cluster.adopted", b.count)
	lines := b.lines("cluster.adopted")
	took := lines[len(lines)-1].at(t).Sub(began)
	t.Logf("%d clusters adopted %v after the kill of CONTROL, %v after the next one was up", b.count, took, lines[len(lines)-1].at(t).Sub(b.line("control runs").at(t)))
	b.kept(before)
	b.cared()
	if n := b.d.stats().Resumes; n > 0 {
		t.Errorf("%d resumes", n)
	}
	b.stop()
}

// kill -9 of CONTROL at random instants of its start.
func TestControlKilledWhileItStarts(t *testing.T) {
	t.Parallel()
	killedWhileStarting(t, 8, 0)
}

// killedWhileStarting kills CONTROL repeatedly during its start, which takes n waves of identifies,
// 5 s each.
func killedWhileStarting(t *testing.T, kills, waves int) {
	const start = 150 * time.Millisecond
	b := startBots(t, 8, 2, settings{"fleet.max_concurrency": strconv.Itoa(8 / (waves + 1))})
	for range kills {
		<-time.After(rand.N(start + time.Duration(waves)*5*time.Second/2)) // a random instant
		b = b.killed()
	}
	eventually(t, "every shard is owned", func() bool { return b.d.stats().Owned == 8 })
	b.logged("range.moved", 1)
	for id, pids := range b.byCluster() {
		if len(pids) != 1 {
			t.Errorf("cluster %s has the processes %v", id, pids)
		}
	}
	if n := len(b.byCluster()); n != b.count {
		t.Errorf("%d clusters run, want %d", n, b.count)
	}
	s := b.d.stats()
	t.Logf("%d identifies of %d shards, %d resumes", s.Identifies, s.ShardCount, s.Resumes)
	if s.Violations > 0 || s.Duplicates > 0 {
		t.Errorf("%d violations, %d duplicates", s.Violations, s.Duplicates)
	}
	b.stop()
}

// cluster.on_stop: detach. SIGTERM leaves the bots, and the next start adopts them.
func TestStopDetaches(t *testing.T) {
	t.Parallel()
	b := serving(t, 4, 2, settings{"cluster.on_stop": "detach"})
	before := b.clusters()
	began := time.Now()
	_ = b.cmd.Process.Signal(syscall.SIGTERM)
	if code := b.exit(); code != 0 {
		t.Errorf("exit %d", code)
	}
	t.Logf("CONTROL ended in %v", time.Since(began))
	if len(b.lines("stopping: bots keep serving until the next start adopts them")) != 1 {
		t.Error("it does not say so")
	}
	b.kept(before)
	b.process = b.again()
	b.logged("cluster.adopted", b.count)
	b.kept(before)
	b.cared()
	for _, pid := range before {
		b.signal(pid, syscall.SIGTERM)
	}
}

// cluster.on_lost: exit. A bot that is without CONTROL for lost_after ends by itself.
func TestLostBotsExit(t *testing.T) {
	t.Parallel()
	b := serving(t, 4, 2, settings{"cluster.on_lost": "exit", "cluster.lost_after": "1s"})
	eventually(t, "every session is on disk", func() bool {
		books, _ := filepath.Glob(filepath.Join(b.state, "sessions-*.json"))
		sessions := 0
		for _, path := range books {
			text, _ := os.ReadFile(path)
			sessions += strings.Count(string(text), `"session_id"`)
		}
		return sessions == 4
	})
	b.crash()
	began := time.Now()
	eventually(t, "the bots end by themselves", func() bool { return len(b.clusters()) == 0 })
	t.Logf("bots ended %v after the death of CONTROL", time.Since(began))
	eventually(t, "Discord sees the connections go", func() bool { return b.d.stats().Connections == 0 })
	b.gone()
	b.process = b.again()
	b.logged("cluster.ready", b.count)
	b.cared() // they closed their sessions resumable
	b.stop()
}

// The second SIGTERM ends CONTROL at once, and the log names what it leaves.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	state := folder(t)
	p := role(t, lonely(settings{"cluster.kill_grace": "1m", "state.dir": state}), "stubborn")
	eventually(t, "both bots are deaf to SIGTERM", func() bool {
		logs, err := filepath.Glob(filepath.Join(state, "logs", "*.log"))
		deaf := 0
		for _, path := range logs {
			if text, _ := os.ReadFile(path); len(text) > 0 {
				deaf++
			}
		}
		return err == nil && deaf == 2
	})
	before := p.clusters()
	eventually(t, "CONTROL ends", func() bool {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
			return true
		default:
			return false
		}
	})
	if code := p.exit(); code != 1 {
		t.Errorf("exit %d", code)
	}
	if len(p.lines("stopped at once: running bots keep serving until the next start adopts them")) != 1 {
		t.Error("it does not say so")
	}
	if now := p.clusters(); !slices.Equal(now, before) {
		t.Errorf("processes %v, were %v", now, before)
	}
}
