package proc

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// orphan returns the mark of a process that another one started, which is dead now; word is its
// first report.
func orphan(t *testing.T, role string) (m Mark, word string) {
	t.Helper()
	m = newMark()
	env, next := words(t)
	m.Output = filepath.Join(t.TempDir(), "out")
	supervisor := exec.Command(os.Args[0])
	supervisor.Env = []string{env, childVar + "=" + role, m.Env, "PATH=" + os.Getenv("PATH"), roleVar + "=supervisor " + m.Output}
	if err := supervisor.Start(); err != nil {
		t.Fatal(err)
	}
	m.PID, word = next()
	_ = supervisor.Process.Kill()
	_ = supervisor.Wait()
	_, m.Started, _ = look(m.PID)
	t.Cleanup(func() { _ = syscall.Kill(-m.PID, syscall.SIGKILL) })
	return m, word
}

func TestFindOfAnOrphan(t *testing.T) {
	leakless(t)
	for name, kill := range map[string]func(Process){
		"killed by us":     func(p Process) { p.Signal(syscall.SIGKILL) },
		"killed by others": func(p Process) { _ = syscall.Kill(p.PID(), syscall.SIGKILL) },
	} {
		t.Run(name, func(t *testing.T) {
			m, word := orphan(t, "parent")
			grandchild, _ := strconv.Atoi(word)
			p := found(t, m)
			if p.(*process).child.pidfd < 0 {
				t.Error("the kernel does not report its end")
			}
			exits := claim(p)
			kill(p)
			if got := receive(t, exits); got != (Exit{Code: -1}) {
				t.Errorf("got %v", got)
			}
			if !ended(grandchild) {
				t.Error("the grandchild runs when the exit is reported")
			}
			p.Signal(syscall.SIGKILL) // no process is left
		})
	}
}

// The wrapper died unwatched: the wrapped process must not run beside its successor.
func TestFindLeavesNoRestOfAGroup(t *testing.T) {
	leakless(t)
	for name, forget := range map[string]func(*Mark){
		"by pid and start":        func(*Mark) {},
		"by its environment only": func(m *Mark) { m.PID, m.Started = 0, 0 },
	} {
		t.Run(name, func(t *testing.T) {
			m, word := orphan(t, "parent")
			leader := m.PID
			grandchild, _ := strconv.Atoi(word)
			_ = syscall.Kill(leader, syscall.SIGKILL)
			eventually(t, "leader dead, with every thread", func() bool {
				threads, _ := os.ReadDir("/proc/" + strconv.Itoa(leader) + "/task")
				return gone(leader) && len(threads) <= 1
			})
			if gone(grandchild) {
				t.Fatal("the grandchild died with its leader")
			}
			forget(&m)
			goneExit(t, m)
			if !ended(grandchild) {
				t.Error("the grandchild runs when its leader is reported as gone")
			}
		})
	}
}

func TestStrangerWithoutPidfd(t *testing.T) {
	m, _ := orphan(t, "stay")
	c := child{pid: m.PID, started: m.Started, pidfd: -1, foreign: true}
	if c.ended(0) {
		t.Fatal("ended, and it lives")
	}
	ended := make(chan struct{})
	go func() { c.await(); close(ended) }()
	_ = syscall.Kill(m.PID, syscall.SIGKILL)
	receive(t, ended)
	if !gone(m.PID) {
		t.Error("reported, and it lives")
	}
}

// A stranger that its parent has reaped has ended.
func TestStrangerThatIsReaped(t *testing.T) {
	m, _ := unwatched(t, "true")
	_, _ = syscall.Wait4(m.PID, nil, 0, nil)
	if c := (child{pid: m.PID, started: m.Started, pidfd: -1, foreign: true}); !c.ended(0) {
		t.Error("lives, and it is gone")
	}
}

// ended reports whether a process executes no further instruction.
func ended(pid int) bool { return doomed(pid) || gone(pid) }

// left is a process with an entry in its environment that runs in a session of its own, as a daemon
// and a detached helper do.
func left(t *testing.T, entry string) (pid int) {
	t.Helper()
	cmd := exec.Command("setsid", "-f", "sh", "-c", "echo $$; exec sleep 1000 >/dev/null 2>&1")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), entry}
	out, err := cmd.Output()
	if err == nil {
		pid, err = strconv.Atoi(strings.TrimSpace(string(out)))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) })
	return pid
}

// A bot puts itself into the background, or leaves a helper there: every process with its mark ends
// with it.
func TestNothingWithTheMarkOutlivesItsProcess(t *testing.T) {
	leakless(t)
	m := newMark()
	p, exits := run(t, Spec{Argv: []string{"sleep", "1000"}, Env: []string{m.Env}, Mark: m.Env})
	helpers := []int{left(t, m.Env), left(t, m.Env)}
	other := left(t, newMark().Env)
	p.Signal(syscall.SIGTERM)
	if got, want := receive(t, exits), (Exit{Code: -1, Signal: syscall.SIGTERM, Left: 2}); got != want {
		t.Errorf("got %+v", got)
	}
	eventually(t, "what was killed has ended", func() bool { return gone(helpers[0]) && gone(helpers[1]) })
	if gone(other) {
		t.Error("what has another mark ended, too")
	}
}

// A Find that comes between a death and the end of the search waits for that end.
func TestFindWaitsForTheSearch(t *testing.T) {
	leakless(t)
	m := newMark()
	p, exits := run(t, Spec{Argv: []string{"sleep", "1000"}, Env: []string{m.Env}, Mark: m.Env})
	helper := left(t, m.Env)
	m = Mark{PID: p.PID(), Started: p.Mark().Started, Boot: p.Mark().Boot, Env: m.Env}
	finds := make(chan (<-chan started), 1)
	p.Died(func(Exit) {
		ch, _ := seek(m)
		finds <- ch
	})
	p.Signal(syscall.SIGKILL)
	s := receive(t, receive(t, finds))
	if gone := (&GoneError{}); !errors.As(s.err, &gone) || gone.Exit != (Exit{Code: -1, Signal: syscall.SIGKILL, Left: 1}) {
		t.Errorf("got %v, %v", s.process, s.err)
	}
	if !ended(helper) {
		t.Error("the helper runs when its leader is reported as gone")
	}
	receive(t, exits)
}

// Without a record of a run of the cluster, it is found by the entry of all its runs, and ended.
func TestFindEndsEveryRunOfTheOwner(t *testing.T) {
	leakless(t)
	owner := newMark().Env
	pid, other := left(t, owner), left(t, newMark().Env)
	values, err := Holders(owner[:len(owner)-1])
	if err != nil || !slices.Contains(values, strings.TrimPrefix(owner, markVar+"=")) {
		t.Errorf("holders %q, %v", values, err)
	}
	if got := goneExit(t, Mark{Owner: owner}); got != (Exit{Code: -1, Left: 1}) {
		t.Errorf("got %+v", got)
	}
	if !ended(pid) || gone(other) {
		t.Error("the runs of the owner must end, and no others")
	}
	if values, err = Holders(owner); err != nil || len(values) > 0 {
		t.Errorf("holders %q, %v", values, err)
	}
}

// The leader died, and what is left of its group shows nothing: that it is the bot cannot be
// excluded. A pid of another boot shows nothing about a group of this one.
func TestFindDoesNotKnowWhoseGroupItIs(t *testing.T) {
	m, word := orphan(t, "parent")
	m.Boot, m.Env = boot(), newMark().Env
	grandchild, _ := strconv.Atoi(word)
	_ = syscall.Kill(m.PID, syscall.SIGKILL)
	eventually(t, "leader dead", func() bool { return syscall.Kill(m.PID, 0) != nil })
	ch, _ := seek(m)
	if s := receive(t, ch); s.err == nil || errors.Is(s.err, ErrGone) || !strings.Contains(s.err.Error(), word) {
		t.Errorf("got %v, want an error that names %d", s.err, grandchild)
	}
	for _, m.Boot = range []string{"another", ""} {
		goneExit(t, m)
	}
	if gone(grandchild) {
		t.Error("it was killed")
	}
}
