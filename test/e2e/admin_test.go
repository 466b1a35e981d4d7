package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/discluster/control/messages"
)

// operator runs a command on the CONTROL and returns its exit code and its output.
func (b *bots) operator(args ...string) (code int, output string) {
	b.t.Helper()
	p := control(b.t, []string{"CONTROL_STATE__DIR=" + b.state}, args...)
	code = p.exit()
	wantSilent(b.t, strings.Join(args, " "), p.stdout.String()+p.stderr.String())
	return code, p.stdout.String() + p.stderr.String()
}

// does runs a command that must succeed and print what.
func (b *bots) does(what string, args ...string) string {
	b.t.Helper()
	code, output := b.operator(args...)
	if code != 0 || !strings.Contains(output, what) {
		b.t.Errorf("control %s: exit %d, want %q: %s", strings.Join(args, " "), code, what, output)
	}
	return output
}

// read returns a page of the API, which must answer 200 and show no secret.
func (p *process) read(url string) string {
	p.t.Helper()
	r, err := direct.Get(url)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	what, err := io.ReadAll(r.Body)
	if err != nil || r.StatusCode != http.StatusOK {
		p.t.Errorf("%s: %s, %v: %s", url, r.Status, err, what)
	}
	wantSilent(p.t, url, string(what))
	return string(what)
}

// view returns the answer of `control status --json`.
func (b *bots) view() (v messages.View) {
	b.t.Helper()
	if err := json.Unmarshal([]byte(b.does("{", "status", "--json")), &v); err != nil {
		b.t.Fatal(err)
	}
	return v
}

// spent expects this many identifies at Discord since the last call, and no rule broken.
func (b *bots) spent(what string, identifies *int, more int) {
	b.t.Helper()
	s := b.d.stats()
	if s.Identifies != *identifies+more || s.Violations != 0 || s.Duplicates != 0 {
		b.t.Errorf("%s: %d identifies, want %d; %d violations, %d duplicates", what, s.Identifies-*identifies, more, s.Violations, s.Duplicates)
	}
	*identifies = s.Identifies
}

// An operator queries and orders by the socket in the state folder; each order costs at Discord
// what the handbook lists.
func TestOperator(t *testing.T) {
	t.Parallel()
	b := serving(t, 8, 4, nil)
	spent := 0
	b.spent("the start", &spent, 8)

	b.does("8 of 8 READY", "status")
	b.does("4-7     serving", "clusters")
	b.does("7      1        ready", "shards")
	b.does("shard 2 of 8: cluster 0 on e2e, ready", "whereis", "81384788765712384")
	b.does("cluster.ready", "events")
	b.does("8 identifies since", "identify-budget")
	b.does("CONTROL "+strconv.Itoa(b.cmd.Process.Pid)+" runs", "doctor", "--discord.api="+b.d.base)
	b.does("1\tshards 4-7, serving", "__complete", "restart", "")

	old := b.view().Clusters[1].PID
	b.does("cluster.ready", "restart", "1", "--yes")
	b.spent("restart", &spent, 0)
	if v := b.view(); v.Clusters[1].PID == old || v.Machine.ShardsReady != 8 {
		t.Errorf("after the restart: %+v", v.Clusters[1])
	}
	b.does("cluster.ready", "restart", "1", "--fresh", "--yes")
	b.spent("restart --fresh", &spent, 4)
	b.does("cluster.stopped", "drain", "0", "--yes")
	b.does("1 stopped", "status")
	b.does("cluster.ready", "undrain", "0")
	b.spent("drain and undrain", &spent, 0)
	before := b.clusters()
	b.does("state=done", "rolling-restart", "--yes")
	b.spent("rolling-restart", &spent, 0)
	if now := b.clusters(); len(now) != 2 || slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) }) {
		t.Errorf("processes %v, were %v", now, before)
	}
	b.does("cluster.stopped", "stop", "1", "--yes")

	for want, c := range map[string]struct {
		code int
		args []string
	}{
		"confirm with --yes":               {2, []string{"stop", "0"}},
		"cluster 9 is not of this machine": {1, []string{"restart", "9", "--yes"}},
		"it has no process":                {1, []string{"drain", "1", "--yes"}},
		"only one that was drained":        {1, []string{"undrain", "0"}},
		"want its number":                  {2, []string{"drain", "zero", "--yes"}},
		"want an id":                       {1, []string{"whereis", "my-guild"}},
		"--level":                          {2, []string{"events", "--level", "loud"}},
	} {
		if code, got := b.operator(c.args...); code != c.code || !strings.Contains(got, want) {
			t.Errorf("control %s: exit %d, want %d and %q: %s", strings.Join(c.args, " "), code, c.code, want, got)
		}
	}
	b.stop()
	if code, output := b.operator("status"); code != 3 || !strings.Contains(output, "no CONTROL answers there") {
		t.Errorf("exit %d after the end: %s", code, output)
	}
	if _, err := os.Stat(filepath.Join(b.state, "admin.sock")); err == nil {
		t.Error("the socket is left")
	}
}

// The API listens where it is configured, shows no secret, and is back after an upgrade at the same
// address; a follower of events goes on where it was.
func TestAPIOutlivesUpgrade(t *testing.T) {
	t.Parallel()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	b, link := startInstalled(t, "--admin.listen="+address)
	b.line("admin listens")
	at := "http://" + address
	info, err := os.Stat(filepath.Join(b.state, "admin.sock"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the socket: %v %v", info, err)
	}
	for _, route := range []string{"/", "/healthz", "/readyz", "/metrics", "/api/v1/machine", "/api/v1/clusters", "/api/v1/clusters/0", "/api/v1/shards", "/api/v1/shards/3", "/api/v1/sessions",
		"/api/v1/whereis/1", "/api/v1/identify", "/api/v1/events?level=debug"} {
		b.read(at + route)
	}
	follower := control(t, nil, "events", "-f", "--json", "--state.dir="+b.state)
	eventually(t, "the follower hears", func() bool { return strings.Contains(follower.stdout.String(), "cluster.ready") })
	installed(t, link, "control-2", binary)
	if code, output := b.order("--state.dir=" + b.state); code != 0 {
		t.Fatalf("exit %d: %s", code, output)
	}
	b.read(at + "/healthz")
	eventually(t, "the follower hears of the next life", func() bool { return strings.Contains(follower.stdout.String(), "cluster.adopted") })
	last := 0.0
	for lines := bufio.NewScanner(strings.NewReader(follower.stdout.String())); lines.Scan(); {
		var e map[string]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("%v: %s", err, lines.Text())
		}
		if id, is := e["id"].(float64); is {
			if id <= last {
				t.Errorf("event %v after %v", id, last)
			}
			last = id
		}
	}
	_ = follower.cmd.Process.Signal(syscall.SIGINT)
	if code := follower.exit(); code != 0 {
		t.Errorf("Ctrl-C of events -f: exit %d", code)
	}
	b.does("2 serving", "status")
	b.stop()
}

// Two CONTROLs with one address: the second reports it and runs without, and its operator still
// reaches it by the socket.
func TestAPIPortTaken(t *testing.T) {
	t.Parallel()
	first := serving(t, 2, 2, settings{"admin.listen": "127.0.0.1:0"})
	at := fmt.Sprint(first.line("admin listens")["listen"])
	second := serving(t, 2, 2, settings{"admin.listen": at})
	second.complained("admin.unavailable", at)
	second.does("2 of 2 READY", "status")
	first.stop()
	second.line("admin listens")
	second.stop()
}

// A MASTER of its own answers as a CONTROL does: the machines and their shards, the place of a
// guild, the events.
func TestMasterSeen(t *testing.T) {
	t.Parallel()
	state := folder(t)
	m := control(t, runEnv(t, settings{"state.dir": state, "fleet.listen": "127.0.0.1:0", "fleet.shards": "8", "fleet.max_concurrency": "8", "cluster.shards_per_cluster": "4",
		"fleet.expect": "1", "master.authorization": authorization, "admin.listen": "127.0.0.1:0"}), "master")
	p := role(t, settings{"master.url": "ws://" + fmt.Sprint(m.line("master runs")["listen"]), "master.authorization": authorization, "machine.source": "box"}, "ready")
	eventually(t, "the machine serves", func() bool { return len(p.lines("cluster.ready")) == 2 })
	m.line("fleet.operational")

	at := "http://" + fmt.Sprint(m.line("admin listens")["listen"])
	for _, route := range []string{"/", "/healthz", "/readyz", "/metrics", "/api/v1/fleet", "/api/v1/events", "/api/v1/openapi.json"} {
		m.read(at + route)
	}
	b := &bots{process: m, state: state}
	b.does("8 of 8 READY", "status", "--master")
	b.does("box      ", "status", "--master")
	b.does("cluster 0 on box", "whereis", "81384788765712384", "--master")
	b.does("machine.joined", "events", "--master")
	if code, output := b.operator("status"); code != 3 || !strings.Contains(output, "no CONTROL answers there") {
		t.Errorf("exit %d: %s", code, output)
	}
	p.stop()
	b.does("0 of 8 READY", "status", "--master")
	m.stop()
}
