package proc

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// orphan is a marked process that another one started, which is dead by now; word is what it said when it was up.
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
			exits := claim(p)
			begin := time.Now()
			kill(p)
			if got := receive(t, exits); got != (Exit{Code: -1}) {
				t.Errorf("got %v", got)
			}
			if took := time.Since(begin); took > 50*time.Millisecond+settleMax {
				t.Errorf("noticed after %v", took)
			}
			if !gone(grandchild) {
				t.Error("the grandchild runs when the exit is told")
			}
			p.Signal(syscall.SIGKILL) // nobody
		})
	}
}

// The wrapper died while nobody watched: what it wrapped must not run beside its successor.
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
			eventually(t, "leader dead", func() bool { return gone(leader) })
			if gone(grandchild) {
				t.Fatal("the grandchild died with its leader")
			}
			forget(&m)
			goneExit(t, m)
			if !gone(grandchild) {
				t.Error("the grandchild runs when its leader is said to be gone")
			}
		})
	}
}

func TestStrangerWithoutPidfd(t *testing.T) {
	m, _ := orphan(t, "stay")
	c := child{pid: m.PID, started: m.Started, pidfd: -1, stranger: true}
	if c.ended(0) {
		t.Fatal("ended, and it lives")
	}
	ended := make(chan struct{})
	go func() { c.await(); close(ended) }()
	_ = syscall.Kill(m.PID, syscall.SIGKILL)
	receive(t, ended)
	if !gone(m.PID) {
		t.Error("told, and it lives")
	}
}
