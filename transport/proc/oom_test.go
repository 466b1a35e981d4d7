package proc

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestMemoryEventsFile(t *testing.T) {
	for groups, want := range map[string]string{
		"0::/system.slice/control.service\n": "/sys/fs/cgroup/system.slice/control.service/memory.events",
		// of a container's own namespace
		"0::/\n":                                 "/sys/fs/cgroup/memory.events",
		"4:memory:/a\n1:name=systemd:/\n0::/b\n": "/sys/fs/cgroup/b/memory.events",
		"4:memory:/a\n":                          "",
		"":                                       "",
	} {
		if got := memoryEvents(groups); got != want {
			t.Errorf("%q: got %q, want %q", groups, got, want)
		}
	}
}

// counter returns an oomCounter over a file of the test.
func counter(t *testing.T) (c *oomCounter, set func(kills int)) {
	t.Helper()
	c = &oomCounter{path: filepath.Join(t.TempDir(), "memory.events")}
	return c, func(kills int) {
		text := fmt.Sprintf("low 0\nhigh 0\nmax 31\noom 4\noom_kill %d\noom_group_kill 7\n", kills)
		if err := os.WriteFile(c.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOOMCounter(t *testing.T) {
	c, set := counter(t)
	if got := c.count(); got != -1 || c.explains(got) {
		t.Errorf("unreadable: count %d, and it explains a death", got)
	}
	set(2)
	since := c.count()
	if since != 2 || c.explains(since) {
		t.Errorf("count %d, want 2, and nothing explained", since)
	}
	set(4)
	if !c.explains(since) || !c.explains(since) || c.explains(since) {
		t.Error("two kills must explain two deaths, and no third")
	}
	if c.explains(c.count()) {
		t.Error("a kill before the start explains nothing")
	}
	set(5)
	if !c.explains(4) {
		t.Error("a later kill explains a later death")
	}
}

func TestExitTellsOutOfMemory(t *testing.T) {
	leakless(t)
	for name, c := range map[string]struct {
		kills int
		end   func(p Process)
		want  Exit
	}{
		"by the kernel":                       {1, kernel(syscall.SIGKILL), Exit{Code: -1, Signal: syscall.SIGKILL, OOM: true}},
		"by another process, no kill counted": {0, kernel(syscall.SIGKILL), Exit{Code: -1, Signal: syscall.SIGKILL}},
		"by us, and a kill counted":           {1, func(p Process) { p.Signal(syscall.SIGKILL) }, Exit{Code: -1, Signal: syscall.SIGKILL}},
		"by another signal":                   {1, kernel(syscall.SIGSEGV), Exit{Code: -1, Signal: syscall.SIGSEGV}},
	} {
		t.Run(name, func(t *testing.T) {
			ooms, set := counter(t)
			set(0)
			ch := make(chan started, 1)
			p := &process{ooms: ooms, over: make(chan struct{})}
			go p.run(Spec{Argv: []string{"sleep", "1000"}}, func(p Process, err error) { ch <- started{p, err} })
			s := receive(t, ch)
			if s.err != nil {
				t.Fatal(s.err)
			}
			exits := claim(s.process)
			set(c.kills)
			c.end(s.process)
			if got := receive(t, exits); got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// kernel sends a signal from outside this package.
func kernel(sig syscall.Signal) func(Process) {
	return func(p Process) { _ = syscall.Kill(p.PID(), sig) }
}
