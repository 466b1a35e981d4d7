package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An error before anything starts: exit 2, one line with the error and its place, and nothing left
// behind.
func TestRefusesToStart(t *testing.T) {
	t.Parallel()
	dir := folder(t)
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := settings{"state.dir": filepath.Join(dir, "state"), "discord.token": token, "discord.api": "http://" + closedPort(t)}
	with := func(key, value string) []string {
		s := settings{key: value}
		for k, v := range good {
			if s[k] == "" {
				s[k] = v
			}
		}
		return s.variables()
	}
	run := []string{"run", "--", "true"}
	occupied := openPort(t)
	for name, c := range map[string]struct {
		env  []string
		args []string
		text []string
	}{
		"nothing to run":          {good.variables(), []string{"run"}, []string{"cluster.command", "after --"}},
		"no token":                {with("discord.token", "-"), run, []string{"discord.token", "DISCORD_TOKEN"}},
		"secret file missing":     {with("master.authorization_file", filepath.Join(dir, "nowhere")), run, []string{"master.authorization_file", "nowhere", "no such file"}},
		"secret file is a folder": {with("master.authorization_file", dir), run, []string{"master.authorization_file", dir}},
		"secret file is empty":    {with("master.authorization_file", file("empty", " \n")), run, []string{"master.authorization_file", "empty"}},
		"unknown variable":        {with("master.rety", "1s"), run, []string{"CONTROL_MASTER__RETY", "no such variable"}},
		"unknown key":             {good.variables(), []string{"run", "-c", file("unknown.yaml", "fleet:\n  shard: 3\n"), "--", "true"}, []string{"fleet.shard", "unknown.yaml", "unknown"}},
		"no YAML":                 {good.variables(), []string{"run", "-c", file("broken.yaml", "fleet: [\n"), "--", "true"}, []string{"broken.yaml"}},
		"no file":                 {good.variables(), []string{"run", "-c", filepath.Join(dir, "nowhere.yaml"), "--", "true"}, []string{"nowhere.yaml", "no such file"}},
		"bare number":             {with("cluster.hello_timeout", "30"), run, []string{"cluster.hello_timeout", "30", "unit"}},
		"bare number in a file":   {good.variables(), []string{"config", "check", "-c", file("bare.yaml", "fleet:\n  wait: 45\n")}, []string{"fleet.wait", "45", "unit"}},
		"unknown flag":            {nil, []string{"run", "--no-such-flag"}, []string{"no-such-flag"}},
		"flag without a number":   {nil, []string{"demo", "--shards", "many"}, []string{"shards", "many"}},
		"flag out of range":       {nil, []string{"demo", "--shards", "0"}, []string{"--shards 0", "1 to"}},
		"argument too many":       {nil, []string{"discord", "what"}, []string{"what"}},
		"unknown command":         {nil, []string{"frobnicate"}, []string{"frobnicate"}},
		"socket path too long":    {with("sockets.dir", filepath.Join(dir, strings.Repeat("s", 70))), run, []string{"sockets.dir", "67"}},
		"sockets in a file":       {with("sockets.dir", filepath.Join(file("plain", ""), "s")), run, []string{"sockets.dir", "not a directory"}},
		"state is a file":         {with("state.dir", file("plain-state", "")), run, []string{"state.dir", "not a directory"}},
		"master without secret":   {good.variables(), []string{"master"}, []string{"master.authorization"}},
		"master on a taken port":  {append(with("fleet.listen", occupied), "CONTROL_MASTER__AUTHORIZATION="+authorization), []string{"master"}, []string{"fleet.listen", occupied, "address already in use"}},
		"discord on a taken port": {nil, []string{"discord", "--listen", occupied}, []string{"--listen", occupied, "address already in use"}},
		"ws beyond loopback":      {with("master.url", "ws://192.0.2.1:8642"), run, []string{"master.url", "master.insecure"}},
		"a variable of CONTROL's": {with("cluster.env.SHARD_COUNT", "5"), run, []string{"cluster.env.SHARD_COUNT"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := control(t, c.env, c.args...)
			if code := p.exit(); code != 2 {
				t.Errorf("exit %d, want 2", code)
			}
			p.gone()
			last := p.stderr.String()
			for _, text := range c.text {
				if !strings.Contains(last, text) {
					t.Errorf("%q does not say %q", last, text)
				}
			}
			if !strings.HasPrefix(last, "control: ") {
				t.Errorf("want one message, got %q", last)
			}
		})
	}
}

// Two daemons on one state folder: the second fails, and the first goes on.
func TestOneStateFolder(t *testing.T) {
	t.Parallel()
	s := lonely(settings{"state.dir": folder(t)})
	first := role(t, s, "ready")
	eventually(t, "both clusters ready", func() bool { return len(first.lines("cluster.ready")) == 2 })
	second := role(t, s, "ready")
	if code := second.exit(); code != 2 || !strings.Contains(second.stderr.String(), "another CONTROL runs on it") {
		t.Errorf("exit %d: %s", code, second.stderr.String())
	}
	second.gone()
	if n := len(first.clusters()); n != 2 {
		t.Errorf("the first has %d clusters, want 2", n)
	}
	first.stop()
	third := role(t, s, "ready")
	eventually(t, "the folder is free again", func() bool { return len(third.lines("cluster.ready")) == 2 })
	third.stop()
}
