package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// This file tests bots that are hard to find again.

// titled is a bot that overwrites the memory of its environment, as libraries do that set a
// process's title.
func titled() int {
	if err := wipe(); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("Logged in")
	return untilTold()
}

// wipe overwrites what /proc shows of this process's environment.
func wipe() error {
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return err
	}
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // the first is field 3 of proc_pid_stat(5)
	start, err := strconv.ParseInt(string(fields[50-3]), 10, 64)
	if err != nil {
		return err
	}
	end, err := strconv.ParseInt(string(fields[51-3]), 10, 64)
	if err != nil {
		return err
	}
	memory, err := os.OpenFile("/proc/self/mem", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	if _, err = memory.WriteAt(make([]byte, end-start), start); err != nil {
		return err
	}
	return memory.Close()
}

// background is a bot that puts itself in the background, as a daemon does.
func background() int {
	if err := detached("waits"); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// helped is a bot that starts a helper in a session of its own.
func helped() int {
	if err := detached("waits"); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("Logged in")
	return untilTold()
}

// detached starts this program in a role and a session of its own.
func detached(role string) error {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), roleVariable+"="+role)
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	return c.Start()
}

// alone returns the settings of one cluster of one shard whose bot knows only its environment.
func alone(more settings) settings {
	s := settings{"fleet.shards": "1", "fleet.max_concurrency": "1", "cluster.protocol": "env", "cluster.ready": `log "Logged in"`}
	for key, value := range more {
		s[key] = value
	}
	return s
}

// pid returns the process of the only cluster that is ready. It is killed at the end of the test,
// which may not find it by its mark.
func (p *process) pid() int {
	p.t.Helper()
	pid, _ := p.line("cluster.ready")["pid"].(float64)
	killAtEnd(p.t, int(pid))
	return int(pid)
}

// runs reports whether a process runs; a zombie does not.
func runs(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.HasPrefix(string(text[bytes.LastIndexByte(text, ')')+1:]), " Z")
}

// A bot whose environment is wiped is adopted by its pid and start time, after a death of CONTROL
// and by an upgrade, and an ordered stop ends it.
func TestFoundWithoutItsEnvironment(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{
		"it sets its title":           {self},
		"its wrapper cleans it":       {"env", "-i", roleVariable + "=waits", self},
		"a shell before it":           {"sh", "-c", "env -i " + roleVariable + "=waits " + self + " & wait"},
		"a shell becomes another one": {"sh", "-c", "exec env -i " + roleVariable + "=titled " + self},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			state := folder(t)
			p := run(t, alone(settings{"state.dir": state, roleSetting: "titled"}), command...)
			pid := p.pid()
			eventually(t, "its pid is written down", func() bool {
				text, err := os.ReadFile(filepath.Join(state, "cluster-0.json"))
				return err == nil && bytes.Contains(text, fmt.Appendf(nil, `"pid":%d,`, pid))
			})
			_ = p.cmd.Process.Kill()
			p.exit()
			p = p.again()
			adopted := func(times int) {
				t.Helper()
				eventually(t, "taken back", func() bool { return len(p.lines("cluster.adopted")) == times })
				if got := p.lines("cluster.adopted")[times-1]["pid"]; got != float64(pid) {
					t.Errorf("pid %v is taken back, want %d", got, pid)
				}
			}
			adopted(1)
			if code := control(t, nil, "upgrade", "--state.dir="+state).exit(); code != 0 {
				t.Fatalf("upgrade: exit %d", code)
			}
			adopted(2)
			if died := p.lines("cluster.died"); len(died) > 0 || !runs(pid) {
				t.Errorf("died: %v", died)
			}
			p.stop()
			if runs(pid) {
				t.Error("it runs after an ordered stop")
			}
		})
	}
}

// A bot that puts itself in the background runs once at most: it is ended before the next try, and
// the reason is reported.
func TestBackground(t *testing.T) {
	t.Parallel()
	p := run(t, alone(settings{roleSetting: "background", "cluster.ready": "after 1m"}), self)
	up := p.line("cluster.gave_up")
	if !strings.Contains(fmt.Sprint(up["causes"]), "in the background") {
		t.Errorf("causes: %v", up["causes"])
	}
	if left := p.clusters(); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	p.stop()
}

// A helper in a session of its own ends with its bot: by an ordered stop, and before the next
// start.
func TestHelper(t *testing.T) {
	t.Parallel()
	p := run(t, alone(settings{roleSetting: "helped"}), self)
	before := func(readies int) []int {
		t.Helper()
		eventually(t, "ready", func() bool { return len(p.lines("cluster.ready")) == readies })
		eventually(t, "the bot and its helper run", func() bool { return len(p.clusters()) == 2 })
		return p.clusters()
	}
	all := before(1)
	p.signal(p.pid(), syscall.SIGKILL)
	before(2)
	for _, pid := range all {
		if runs(pid) {
			t.Errorf("process %d runs beside its successors", pid)
		}
	}
	p.stop()
}

// Two CONTROLs, or a MASTER and a CONTROL, with one token: the second one refuses, names the first,
// and starts nothing.
func TestOneToken(t *testing.T) {
	t.Parallel()
	d := startDiscord(t, 2, 2)
	state := folder(t)
	s := d.settings()
	s["state.dir"] = state
	first := run(t, s, binary, "bot")
	d.allReady()
	refused := func(p *process) {
		t.Helper()
		code, output := p.exit(), p.stderr.String()
		if code != 2 || !strings.Contains(output, fmt.Sprintf("CONTROL with pid %d and state.dir %s", first.cmd.Process.Pid, state)) {
			t.Errorf("exit %d: %s", code, output)
		}
		p.gone()
	}
	refused(run(t, d.settings(), binary, "bot"))
	m := settings{"fleet.listen": "127.0.0.1:0", "master.authorization": authorization, "discord.token": token, "discord.api": d.base, "state.dir": folder(t)}
	refused(control(t, m.variables(), "master"))
	d.wellBehaved()
	first.stop()
	run(t, s, binary, "bot").line("cluster.ready")
}
