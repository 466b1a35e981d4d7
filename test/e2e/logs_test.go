package e2e

import (
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// logs runs `control logs` and returns its exit code, stdout and stderr.
func logs(t *testing.T, state string, args ...string) (code int, output, noted string) {
	t.Helper()
	p := control(t, nil, append([]string{"logs", "--state.dir=" + state}, args...)...)
	code = p.exit()
	return code, p.stdout.String(), p.stderr.String()
}

// `control logs` shows the output of the bots, and with -f follows it over the death of a bot and
// of CONTROL.
func TestLogs(t *testing.T) {
	t.Parallel()
	state := folder(t)
	if code, _, why := logs(t, state); code != 1 || !strings.Contains(why, "no cluster has run here") || !strings.Contains(why, state) {
		t.Errorf("exit %d: %s", code, why)
	}
	p := role(t, lonely(settings{"state.dir": state}), "talks")
	eventually(t, "both clusters ready", func() bool { return len(p.lines("cluster.ready")) == 2 })
	follower := control(t, nil, "logs", "--state.dir="+state, "-f")
	heard := func(want string) {
		t.Helper()
		eventually(t, want, func() bool { return strings.Contains(follower.stdout.String(), want+"\n") })
	}
	for _, pid := range p.clusters() {
		heard(fmt.Sprintf(" | bot %d", pid))
	}

	first := p.clusters()
	p.signal(first[0], syscall.SIGKILL)
	eventually(t, "another bot", func() bool { return len(p.lines("cluster.ready")) == 3 })
	second := p.clusters()
	newcomer := slices.DeleteFunc(slices.Clone(second), func(pid int) bool { return slices.Contains(first, pid) })[0]
	heard(fmt.Sprintf(" | bot %d", newcomer))
	if noted := follower.stderr.String(); !strings.Contains(noted, "the process that started 20") {
		t.Errorf("no note of another process: %s", noted)
	}
	if code, output, _ := logs(t, state, "-n", "1"); code != 0 || strings.Count(output, "0 | bot ") != 1 || strings.Count(output, "1 | bot ") != 1 {
		t.Errorf("exit %d: the last of each cluster: %s", code, output)
	}

	p.stop()
	for _, pid := range second {
		heard(fmt.Sprintf(" | bot %d ends", pid))
	}
	code, output, _ := logs(t, state, "1")
	if code != 0 || !strings.HasPrefix(output, "bot ") || !strings.HasSuffix(output, " ends\n") {
		t.Errorf("exit %d: of a cluster alone, with CONTROL gone: %q", code, output)
	}
	for args, why := range map[string]string{"7": "cluster 7 has not run here", "one": `cluster "one": want its number`, "-n=-1": "--lines -1: want 0 or more"} {
		if code, _, output := logs(t, state, args); code == 0 || !strings.Contains(output, why) {
			t.Errorf("exit %d: %s, want %s", code, output, why)
		}
	}
	_ = follower.cmd.Process.Signal(syscall.SIGINT)
	if code := follower.exit(); code != 0 {
		t.Errorf("the follower ended with %d", code)
	}
}

// Inherited output is in no file, and `control logs` reports that.
func TestLogsInherited(t *testing.T) {
	t.Parallel()
	state := folder(t)
	p := role(t, lonely(settings{"state.dir": state, "cluster.logs": "inherit", "cluster.hello_timeout": "1s"}), "exits")
	if up := p.line("cluster.gave_up"); !strings.Contains(fmt.Sprint(up["output"]), "not kept") {
		t.Errorf("%v", up)
	}
	if !strings.Contains(p.stdout.String(), "cannot find module 'bot'\n") {
		t.Errorf("not in CONTROL's output: %q", p.stdout.String())
	}
	look := control(t, settings{"cluster.logs": "inherit"}.variables(), "logs", "--state.dir="+state)
	if code := look.exit(); code != 1 || !strings.Contains(look.stderr.String(), "cluster.logs is inherit") {
		t.Errorf("exit %d: %s", code, look.stderr.String())
	}
	p.stop()
}
