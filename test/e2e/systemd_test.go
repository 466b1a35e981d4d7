package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// notified returns the path of a socket of systemd; its datagrams are added to output.
func notified(t *testing.T) (path string, output *text) {
	t.Helper()
	path = filepath.Join(folder(t), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	output = &text{}
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			fmt.Fprintf(output, "%s\n", b[:n])
		}
	}()
	return path, output
}

// systemd gets the state of CONTROL: ready, alive, replaced, ready again, stopping. Its bots send
// nothing.
func TestSystemdIsTold(t *testing.T) {
	t.Parallel()
	path, output := notified(t)
	state := folder(t)
	env := append(runEnv(t, lonely(settings{"state.dir": state})), roleVariable+"=ready", "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=300000")
	p := control(t, env, "run", "--", self)
	times := func(what string, n int) {
		t.Helper()
		eventually(t, what, func() bool { return strings.Count(output.String(), what+"\n") >= n })
	}
	times("READY=1", 1)
	times("WATCHDOG=1", 3)
	times("STATUS=2 of 2 clusters serve, 4 of 4 shards are READY", 1)
	for _, pid := range p.clusters() {
		env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil || strings.Contains(string(env), "NOTIFY_SOCKET") || strings.Contains(string(env), "WATCHDOG") {
			t.Errorf("a bot's environment, %v: %q", err, env)
		}
	}
	before := p.clusters()
	if code := control(t, nil, "upgrade", "--state.dir="+state).exit(); code != 0 {
		t.Fatalf("upgrade: exit %d", code)
	}
	times("READY=1", 2)
	if text := output.String(); strings.Count(text, "RELOADING=1\nMONOTONIC_USEC=") != 1 || strings.Index(text, "RELOADING=1") > strings.LastIndex(text, "READY=1") {
		t.Errorf("of the upgrade it got %s", text)
	}
	signs := strings.Count(output.String(), "WATCHDOG=1")
	times("WATCHDOG=1", signs+3)
	if now := p.clusters(); !slices.Equal(before, now) {
		t.Errorf("processes %v, were %v", now, before)
	}
	p.stop()
	if !strings.Contains(output.String(), "STOPPING=1\n") {
		t.Errorf("of the end it got %s", output.String())
	}
}

// systemd-analyze accepts the units that are shipped.
func TestUnits(t *testing.T) {
	t.Parallel()
	verify, err := exec.LookPath("systemd-analyze")
	if err != nil {
		missing(t, "systemd-analyze is not installed")
	}
	dir := folder(t)
	for _, name := range []string{"control.service", "control-master.service"} {
		unit, err := os.ReadFile(filepath.Join("..", "..", "cmd", "control", "dist", name))
		if err != nil {
			t.Fatal(err)
		}
		// The program is not installed here.
		unit = []byte(strings.ReplaceAll(string(unit), "/usr/local/bin/control", binary))
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, unit, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(verify, "verify", "--man=no", path).CombinedOutput()
		if err != nil || strings.Contains(string(out), name) {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

// MASTER notifies systemd too.
func TestSystemdIsToldOfMaster(t *testing.T) {
	t.Parallel()
	path, output := notified(t)
	all := settings{"state.dir": folder(t), "discord.token": token, "master.authorization": authorization, "fleet.listen": "127.0.0.1:0"}
	p := control(t, append(all.variables(), "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=300000"), "master")
	eventually(t, "signs of life", func() bool {
		text := output.String()
		return strings.Contains(text, "READY=1\nSTATUS=listening at 127.0.0.1:") && strings.Count(text, "WATCHDOG=1\n") > 2
	})
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	p.exit()
	eventually(t, "STOPPING=1", func() bool { return strings.Contains(output.String(), "STOPPING=1\n") })
}
