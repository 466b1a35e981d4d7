//go:build e2e

package e2e

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A machine of the demo dies with everything on it.
func TestDemoMachineDies(t *testing.T) {
	t.Parallel()
	out := wantDemo(t, "--machines", "3", "--spares", "1", "--kill-machine", "5s", "--for", "45s")
	if want := "32 identifies of 32 shards, 16 resumes"; !strings.Contains(out, want) {
		t.Errorf("the end is not %q", want)
	}
}

// machines is a fleet of processes: MASTER, and CONTROLs that run the reference bot.
type machines struct {
	t       *testing.T
	discord *discord
	master  *process
	s       settings // shared by all
	state   string   // MASTER's folder
}

// startMachines starts Discord, with further arguments, and MASTER at an address of this host.
func startMachines(t *testing.T, host string, shards int, more settings, discord ...string) *machines {
	t.Helper()
	d := startDiscord(t, shards, 8, append(discord, "--listen", host+":0", "--session-window", "90s")...)
	m := &machines{t: t, discord: d, state: folder(t), s: settings{"master.authorization": authorization, "master.insecure": "true", "fleet.heartbeat_interval": "1s", "cluster.heartbeat_interval": "1s", "fleet.grace": "11s"}}
	maps.Copy(m.s, d.settings())
	maps.Copy(m.s, more)
	s := maps.Clone(m.s)
	s["fleet.listen"], s["fleet.spares"], s["state.dir"] = host+":0", cmp.Or(s["fleet.spares"], "1"), m.state
	m.startMaster(s)
	m.s["master.url"] = "ws://" + m.master.line("master runs")["listen"].(string)
	return m
}

// startMaster starts a MASTER, which is stopped at the end of the test.
func (m *machines) startMaster(s settings) {
	m.t.Helper()
	p := control(m.t, runEnv(m.t, s), "master")
	m.master = p
	m.t.Cleanup(func() {
		if m.master == p {
			p.stop()
		}
	})
}

// add starts a CONTROL, behind a command that moves it into another network.
func (m *machines) add(name string, elsewhere ...string) *process {
	m.t.Helper()
	return m.addBot(settings{"machine.source": name}, elsewhere, binary, "bot")
}

// addBot is add for another bot, with further settings.
func (m *machines) addBot(more settings, elsewhere []string, bot ...string) *process {
	m.t.Helper()
	s := maps.Clone(m.s)
	maps.Copy(s, more)
	args := slices.Concat(elsewhere, []string{binary, "run", "--"}, bot)
	return start(m.t, runEnv(m.t, s), args[0], args[1:]...)
}

// owned waits until every shard has an owner and returns the time that took.
func (m *machines) owned(n int) time.Duration {
	m.t.Helper()
	began := time.Now()
	eventually(m.t, "every shard has an owner", func() bool { return m.discord.stats().Owned == n })
	return time.Since(began)
}

// whoServes returns the machines that run a cluster.
func whoServes(all map[string]*process) (some []string) {
	for _, name := range []string{"m1", "m2", "m3"} {
		if p := all[name]; p != nil && len(p.clusters()) > 0 {
			some = append(some, name)
		}
	}
	return some
}

// MASTER and three machines, each a process. One machine is killed with its bots: the spare resumes
// its sessions when the grace is over, and nothing identifies.
func TestMachineKilled(t *testing.T) {
	t.Parallel()
	m := startMachines(t, "127.0.0.1", 32, settings{"fleet.expect": "3"})
	all := map[string]*process{"m1": m.add("m1"), "m2": m.add("m2"), "m3": m.add("m3")}
	m.owned(32)
	dead := all["m1"]
	if s := whoServes(all); fmt.Sprint(s) != "[m1 m2]" {
		t.Fatalf("%v serve, want m1 and m2", s)
	}
	for _, pid := range dead.started() {
		_ = signalCarrier(pid, syscall.SIGKILL, markVariable, dead.mark) // it may have ended by itself
	}
	eventually(t, "Discord sees it", func() bool { return m.discord.stats().Owned == 16 })
	took := m.owned(32)
	t.Logf("READY elsewhere %v after the death, of which 11s are the grace", took)
	m.discord.wellBehaved()
	all["m2"].stop()
	m.owned(32) // on m3, whose link broke at once
	if left, lost := len(m.master.lines("machine.left")), len(m.master.lines("machine.lost")); left != 1 || lost != 1 {
		t.Errorf("%d machines left and %d are lost, want one that was stopped and one that was killed", left, lost)
	}
	m.discord.wellBehaved()
	all["m3"].stop()
}

// The network cuts a machine off from MASTER and Discord, and heals. With a lease the machine has
// stopped before its shards have another owner, so that no shard ever has two. It returns as a
// spare.
func TestMachineCutOff(t *testing.T) {
	if os.Getuid() != 0 {
		missing(t, "a network namespace needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		missing(t, "a network namespace needs ip; on Debian: apt-get install iproute2")
	}
	id := os.Getpid() % 10000
	space, here, there := fmt.Sprintf("e2e-%d", id), fmt.Sprintf("e2e%da", id), fmt.Sprintf("e2e%db", id)
	net := fmt.Sprintf("10.211.%d.", id%250)
	ip := func(args ...string) error {
		out, err := exec.Command("ip", args...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	if err := ip("netns", "add", space); err != nil {
		t.Skipf("no network namespace can be made here: %v", err)
	}
	t.Cleanup(func() { _ = ip("netns", "del", space) })
	for _, line := range []string{
		"link add " + here + " type veth peer name " + there,
		"link set " + there + " netns " + space,
		"addr add " + net + "1/24 dev " + here,
		"link set " + here + " up",
		"-n " + space + " addr add " + net + "2/24 dev " + there,
		"-n " + space + " link set " + there + " up",
		"-n " + space + " link set lo up",
	} {
		if err := ip(strings.Fields(line)...); err != nil {
			t.Skipf("no network namespace can be set up here: %v", err)
		}
	}
	m := startMachines(t, net+"1", 32, settings{"fleet.expect": "3", "fleet.on_master_loss": "fence", "fleet.lease": "6s"})
	all := map[string]*process{"m1": m.add("m1", "ip", "netns", "exec", space), "m2": m.add("m2"), "m3": m.add("m3")}
	m.owned(32)
	if s := whoServes(all); fmt.Sprint(s) != "[m1 m2]" {
		t.Fatalf("%v serve, want m1 and m2", s)
	}
	if all := all["m1"].complaints(); len(all) > 0 {
		t.Errorf("complaints before the cut: %v", all)
	}
	if err := ip("link", "set", here, "down"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	eventually(t, "its clusters have stopped", func() bool { return len(all["m1"].clusters()) == 0 })
	if n := len(all["m3"].clusters()); n != 0 {
		t.Error("another one had it before")
	}
	t.Logf("stopped %v after the cut", time.Since(began))
	eventually(t, "its shards are another's", func() bool { return len(all["m3"].clusters()) == 2 })
	m.owned(32)
	if err := ip("link", "set", here, "up"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it returns", func() bool { return len(m.master.lines("machine.joined")) == 4 })
	if n := len(all["m1"].clusters()); n != 0 {
		t.Errorf("%d clusters run on the returned, want a spare", n)
	}
	m.discord.wellBehaved()
	for _, name := range []string{"m1", "m2", "m3"} {
		all[name].stop()
	}
}
