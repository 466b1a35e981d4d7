package proc

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// Orphans are reaped as soon as they are dead, and the exit of every child stays its own.
func TestReapOrphans(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil { // as for pid 1
		t.Fatal(err)
	}
	defer func() { _ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) }()
	ctx, cancel := context.WithCancel(context.Background())
	ended := ReapOrphans(ctx)
	defer func() { cancel(); <-ended }()
	for range 50 {
		_, exits := run(t, Spec{Argv: []string{"sh", "-c", "(setsid sh -c 'exit 7' &); exit 3"}})
		err := Run(exec.Command("sh", "-c", "(setsid sh -c 'exit 7' &); exit 4"))
		if err == nil || err.Error() != "exit status 4" {
			t.Fatalf("a command ended with %v", err)
		}
		if got := receive(t, exits); got.Code != 3 {
			t.Fatalf("a process ended with %v", got)
		}
	}
	eventually(t, "no zombie is left", func() bool { return len(childrenOf(os.Getpid())) == 0 })
}

// Children that an earlier program left are kept for a while: Find may ask for their exit.
func TestReapOrphansSparesWhatIsInherited(t *testing.T) {
	pid, err := syscall.ForkExec("/bin/sh", []string{"sh", "-c", "exit 3"}, &syscall.ProcAttr{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is dead", func() bool { state, _, _ := look(pid); return state == 'Z' })
	reapOrphans(map[int]bool{pid: true})
	var status syscall.WaitStatus
	if got, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); got != pid || status.ExitStatus() != 3 {
		t.Errorf("%d %v %v: its exit was taken", got, status, err)
	}
}

// Names of processes may contain any byte.
func TestChildrenOf(t *testing.T) {
	sleep, err := exec.LookPath("sleep")
	name := filepath.Join(t.TempDir(), ") Z 1 (")
	if err := errors.Join(err, os.Symlink(sleep, name)); err != nil {
		t.Fatal(err)
	}
	c := &exec.Cmd{Path: name, Args: []string{"sleep", "1000"}}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	if state := childrenOf(os.Getpid())[c.Process.Pid]; !strings.ContainsRune("SRD", rune(state)) {
		t.Errorf("state %q", state)
	}
}
