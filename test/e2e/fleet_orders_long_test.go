//go:build e2e

package e2e

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/discluster/control/messages"
)

// fleetView returns the answer of `control status --master --json`.
func fleetView(b *bots) (v messages.FleetView) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.does("{", "status", "--master", "--json")), &v); err != nil {
		b.t.Fatal(err)
	}
	return v
}

// An operator on MASTER's machine drains a machine, takes it back and replaces every process, and
// no shard identifies. Discord revokes the token: the halt outlives MASTER and ends by the
// operator's order.
func TestFleetOperator(t *testing.T) {
	t.Parallel()
	const shards = 16
	m := startMachines(t, "127.0.0.1", shards, settings{"fleet.expect": "2", "fleet.spares": "0", "cluster.shards_per_cluster": "4"})
	m1, m2 := m.add("m1"), m.add("m2")
	m.owned(shards)
	b := &bots{process: m.master, d: m.discord, state: m.state}
	b.line("fleet.operational")
	spent := 0
	b.spent("the start", &spent, shards)

	b.does("state=done", "drain", "--machine", "m1", "--yes")
	m.owned(shards)
	b.spent("drain", &spent, 0)
	if n, all := len(m1.clusters()), len(m2.clusters()); n != 0 || all != 4 {
		t.Errorf("drained: %d clusters on m1, %d on m2, want 0 and 4", n, all)
	}
	b.does("m1       ", "status", "--master")
	b.does("drained", "status", "--master")
	b.does("state=done", "undrain", "--machine", "m1")
	b.does("state=done", "restart", "2", "--fleet", "--yes")
	b.spent("undrain and restart", &spent, 0)

	before := slices.Concat(m1.clusters(), m2.clusters())
	if output := b.does("state=done", "rolling-restart", "--fleet", "--yes"); !strings.Contains(output, "machine m2") {
		t.Errorf("no progress: %s", output)
	}
	m.owned(shards)
	b.spent("rolling-restart", &spent, 0)
	if now := slices.Concat(m1.clusters(), m2.clusters()); len(now) != 4 || slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) }) {
		t.Errorf("processes %v, were %v", now, before)
	}
	b.does("984 of 1000 identifies are left, 16 of them kept for a start", "identify-budget", "--master")

	for want, c := range map[string]struct {
		code int
		args []string
	}{
		"confirm with --yes":         {2, []string{"drain", "--machine", "m2"}},
		"stdin is not a terminal":    {2, []string{"rolling-restart", "--fleet"}},
		`machine "m9" is not known`:  {1, []string{"drain", "--machine", "m9", "--yes"}},
		"machine m1 is linked":       {1, []string{"forget-machine", "m1", "--yes"}},
		"the fleet is not halted":    {1, []string{"resume-fleet"}},
		"no linked machine has it":   {1, []string{"restart", "9", "--fleet", "--yes"}},
		"want the name of a machine": {2, []string{"undrain", "--machine", ""}},
		`unknown command "1" for`:    {2, []string{"drain", "1", "--machine", "m1", "--yes"}},
		"no MASTER answers there":    {3, []string{"resume-fleet", "--state.dir", folder(t)}},
	} {
		if code, got := b.operator(c.args...); code != c.code || !strings.Contains(got, want) {
			t.Errorf("control %s: exit %d, want %d and %q: %s", strings.Join(c.args, " "), code, c.code, want, got)
		}
	}
	b.does("m1\t", "__complete", "drain", "--machine", "")

	m.discord.fault(`{"kind":"refuse_token"}`)
	m.discord.fault(`{"kind":"close","shard":0,"code":4004}`)
	m.master.line("fleet.halted")
	eventually(t, "nothing runs", func() bool { return len(m1.clusters())+len(m2.clusters()) == 0 })
	m.discord.fault(`{"kind":"accept_token"}`)
	halted := m.discord.stats().Identifies
	m.restartMaster()
	b.process = m.master
	m.master.line("fleet.halted")
	b.does("HALTED", "status", "--master")
	if v := fleetView(b); !v.Halted || v.ShardsReady != 0 {
		t.Errorf("MASTER was restarted: %+v", v)
	}
	if code, output := b.operator("rolling-restart", "--fleet", "--yes"); code != 1 || !strings.Contains(output, "the fleet is halted") {
		t.Errorf("exit %d: %s", code, output)
	}
	if n := m.discord.stats().Identifies; n != halted {
		t.Errorf("%d identifies while halted", n-halted)
	}
	b.does("state=done", "resume-fleet")
	m.owned(shards)
	if n := m.discord.stats().Identifies - halted; n != 1 {
		t.Errorf("%d identifies after the halt, want 1: of the shard that was closed with 4004, whose session is lost", n)
	}
	for _, p := range []*process{m1, m2} {
		p.stop()
	}
}

// restartMaster ends MASTER and starts it again at the same address.
func (m *machines) restartMaster() {
	m.t.Helper()
	m.master.stop()
	s := maps.Clone(m.s)
	s["fleet.listen"] = strings.TrimPrefix(m.s["master.url"], "ws://")
	s["fleet.spares"], s["state.dir"] = cmp.Or(s["fleet.spares"], "1"), m.state
	m.startMaster(s)
	m.master.line("master runs")
}
