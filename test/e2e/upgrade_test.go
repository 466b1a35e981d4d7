package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// order runs `control upgrade` and returns its exit code and output.
func (b *bots) order(args ...string) (code int, output string) {
	b.t.Helper()
	p := control(b.t, nil, append([]string{"upgrade"}, args...)...)
	code = p.exit()
	return code, p.stdout.String() + p.stderr.String()
}

// installed puts a program under a symbolic link, as a package manager does.
func installed(t *testing.T, link, name, from string) (path string) {
	t.Helper()
	text, err := os.ReadFile(from)
	path = filepath.Join(filepath.Dir(link), name)
	if err == nil {
		// A child forked now would have it open for writing, and it could not be started.
		syscall.ForkLock.RLock()
		err = os.WriteFile(path, text, 0o700)
		syscall.ForkLock.RUnlock()
	}
	if err == nil {
		err = os.Symlink(name, link+".new")
	}
	if err == nil {
		err = os.Rename(link+".new", link)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// startInstalled is serving, with control under a symbolic link.
func startInstalled(t *testing.T, flags ...string) (b *bots, link string) {
	t.Helper()
	link = filepath.Join(folder(t), "control")
	installed(t, link, "control-1", binary)
	b = &bots{d: startDiscord(t, 4, 4), state: folder(t), count: 2}
	all := b.d.settings()
	all["state.dir"], all["cluster.shards_per_cluster"] = b.state, "2"
	b.process = start(t, runEnv(t, all), link, slices.Concat([]string{"run"}, flags, []string{"--", binary, "bot"})...)
	b.logged("cluster.ready", b.count)
	return b, link
}

// CONTROL becomes another program in the same process: its bots stay its children and keep serving;
// their exits can still be read.
func TestUpgrade(t *testing.T) {
	t.Parallel()
	b, link := startInstalled(t, "--log.level=debug")
	before := b.clusters()
	next := installed(t, link, "control-2", binary)
	if code, output := b.order("--state.dir=" + b.state); code != 0 || !strings.Contains(output, fmt.Sprintf("CONTROL %d runs", b.cmd.Process.Pid)) {
		t.Fatalf("exit %d: %s", code, output)
	}
	b.logged("cluster.adopted", b.count)
	if path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", b.cmd.Process.Pid)); path != next {
		t.Errorf("it runs %s, want %s: %v", path, next, err)
	}
	b.kept(before)
	b.cared()

	// Again, by pid, to a program at a path where one was deleted.
	if err := os.Remove(next); err != nil {
		t.Fatal(err)
	}
	installed(t, link, "control-2", binary)
	if code, output := b.order("--pid", strconv.Itoa(b.cmd.Process.Pid)); code != 0 {
		t.Fatalf("exit %d: %s", code, output)
	}
	b.logged("cluster.adopted", 2*b.count)
	b.kept(before)
	b.cared()
	if n := b.d.stats().Resumes; n > 0 {
		t.Errorf("%d resumes", n)
	}

	b.signal(before[0], syscall.SIGKILL)
	if died := b.line("cluster.died"); died["exit"] != "signal killed" {
		t.Errorf("after the upgrade an exit is reported as %v", died)
	}
	b.logged("cluster.ready", b.count+1)
	b.cared()
	b.stop()
}

// An upgrade to a broken program or configuration is refused with the reason, and nothing else
// changes.
func TestUpgradeRefused(t *testing.T) {
	t.Parallel()
	file := filepath.Join(folder(t), "control.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("{}")
	b, link := startInstalled(t, "-c", file)
	before := b.clusters()

	refused := func(why string, args ...string) {
		t.Helper()
		if code, output := b.order(args...); code == 0 || !strings.Contains(output, why) {
			t.Errorf("exit %d: %s; want %q", code, output, why)
		}
	}
	here := "--state.dir=" + b.state
	write("cluster: {hello_timeout: 5}")
	refused("cluster.hello_timeout", here)
	write("{}")
	installed(t, link, "false", "/bin/false")
	refused("exit status 1", here)
	installed(t, link, "true", "/bin/true")
	refused("it is not a control binary", here)
	if err := os.Remove(link); err != nil {
		t.Fatal(err)
	}
	refused("no such file", here)
	refused("no CONTROL runs on it", "--state.dir="+folder(t))
	refused("it is not a running CONTROL", "--pid", strconv.Itoa(os.Getpid()))
	if n := len(b.lines("upgrade refused")); n != 4 {
		t.Errorf("the log has %d refused upgrades, want 4", n)
	}
	b.kept(before)
	b.cared()
	b.stop()
	refused("no CONTROL runs on it", here)
}
