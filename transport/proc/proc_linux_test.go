package proc

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

// Old kernels have no pidfd, and a sandbox may have no poller for it.
func TestExitIsNoticedWithoutPidfd(t *testing.T) {
	leakless(t)
	for name, spoil := range map[string]func(c *child){
		"no pidfd": func(c *child) { _ = syscall.Close(c.pidfd); c.pidfd = -1 },
		"pidfd no pollee": func(c *child) {
			_ = syscall.Close(c.pidfd)
			c.pidfd, _ = syscall.Open("/proc/self/stat", syscall.O_RDONLY, 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := fork("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{})
			if err != nil {
				t.Fatal(err)
			}
			spoil(&c)
			ended := make(chan struct{})
			go func() { c.await(); close(ended) }()
			_ = syscall.Kill(c.pid, syscall.SIGTERM)
			receive(t, ended)
			if status, err := c.reap(); err != nil || status.Signal() != syscall.SIGTERM {
				t.Errorf("got %v, %v", status, err)
			}
		})
	}
}

// Another goroutine's wait must not block ours: the exit is then reported as unknown.
func TestExitReapedElsewhere(t *testing.T) {
	leakless(t)
	p, exits := run(t, Spec{Argv: []string{"sleep", "1000"}})
	stolen := make(chan struct{})
	p.(*process).mu.Lock() // so that ours comes second
	go func() { _, _ = syscall.Wait4(p.PID(), nil, 0, nil); close(stolen) }()
	_ = syscall.Kill(p.PID(), syscall.SIGTERM)
	receive(t, stolen)
	p.(*process).mu.Unlock()
	if got, want := receive(t, exits), (Exit{Code: -1}); got != want {
		t.Errorf("got %+v", got)
	}
}

func TestChildrenCostNoThreads(t *testing.T) {
	leakless(t)
	threads := func() int {
		tasks, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		return len(tasks)
	}
	const many = 32
	before := threads()
	var processes []Process
	var exits []<-chan Exit
	for range many {
		p, ch := run(t, Spec{Argv: []string{"sleep", "1000"}})
		processes, exits = append(processes, p), append(exits, ch)
	}
	if more := threads() - before; more > many/2 {
		t.Errorf("%d more threads for %d children", more, many)
	}
	for i, p := range processes {
		p.Signal(syscall.SIGKILL)
		receive(t, exits[i])
	}
}

// A folder in which no file can be created is the machine's problem, and not the bot's.
func TestFolderTakesNoFile(t *testing.T) {
	leakless(t)
	ch, _ := begin(Spec{Argv: []string{"true"}, Folders: []string{"/proc"}})
	s := receive(t, ch)
	want := `folder "/proc": takes no file: open /proc/.probe: no such file or directory`
	if s.process != nil || !errors.Is(s.err, ErrFolder) || s.err.Error() != want {
		t.Errorf("got  %v\nwant %s", s.err, want)
	}
}
