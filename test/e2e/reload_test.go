package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// SIGHUP applies what can be applied and logs the keys of what cannot; a broken file changes
// nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	file := filepath.Join(folder(t), "control.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("{}")
	p := control(t, append(runEnv(t, lonely(nil)), roleVariable+"=ready"), "run", "-c", file, "--", self)
	p.line("control runs")
	const done, broken = "configuration reloaded", "configuration is broken, nothing changed"
	reload := func(text, message string) line {
		t.Helper()
		write(text)
		before := len(p.lines(message))
		_ = p.cmd.Process.Signal(syscall.SIGHUP)
		eventually(t, message, func() bool { return len(p.lines(message)) > before })
		return p.lines(message)[before]
	}
	want := func(l line, applied, upgrade, restart string) {
		t.Helper()
		if got := fmt.Sprint(l["applied"], l["need_upgrade"], l["need_restart"]); got != applied+" "+upgrade+" "+restart {
			t.Errorf("applied, need_upgrade, need_restart: %s", got)
		}
	}
	want(reload("log: {level: error}\ncluster: {on_stop: detach, stop_grace: 1s}\ndiscord: {api: 'https://proxy'}\nmaster: {authorization: "+authorization+"}", done),
		"[cluster.on_stop log.level]", "[discord.api master.authorization cluster.stop_grace]", "[]")
	bad := reload("log: {level: loud}\ncluster: {stop_grace: 1}", broken)
	if err, _ := bad["err"].(string); !strings.Contains(err, "log.level") || !strings.Contains(err, "cluster.stop_grace") || strings.Contains(err, "\n") {
		t.Errorf("the log has %q", err)
	}
	want(reload("log: {level: debug}", done), "[cluster.on_stop log.level]", "[]", "[]")
	p.stop()
	if !strings.Contains(p.stderr.String(), `"level":"debug"`) {
		t.Error("log.level: debug is not in force")
	}
}
