package proc

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// inExec are the fields of proc_pid_stat(5), from field 3 on, of a process in the middle of its
// exec: its parent had ended, and its environment was read as empty.
const inExec = "R 27003 27009 27009 0 -1 4194304 4 0 0 0 0 0 0 0 20 0 1 0 3563748 430080 0 18446744073709551615 " +
	"94231330193408 94231330211337 140733544238032 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 " +
	"94231330225424 94231330226688 94232093532160 140733544245955 140733544245968 0 0 0"

func TestHasNoEnviron(t *testing.T) {
	with := func(memory, start, end string) []string {
		fields := strings.Fields(inExec)
		fields[20], fields[47], fields[48] = memory, start, end
		return fields
	}
	for name, c := range map[string]struct {
		fields []string
		none   bool
	}{
		"in the middle of an exec":     {with("430080", "0", "0"), false},
		"at the end of it by now":      {with("430080", "140733544245968", "140733544247277"), false},
		"started with an empty one":    {with("430080", "140733544245968", "140733544245968"), true},
		"a zombie, or a kernel thread": {with("0", "0", "0"), true},
		"a kernel before 3.5":          {with("430080", "0", "0")[:40], true},
	} {
		if got := hasNoEnviron(c.fields); got != c.none {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Every way of the environment through the kernel ends in time.
func TestEnvironOf(t *testing.T) {
	start := func(env ...string) int {
		c := exec.Command("sleep", "1000")
		c.Env = env
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		return c.Process.Pid
	}
	buf := make([]byte, 64)
	if got, err := environOf(start("A=1", "B=2"), &buf); string(got) != "\x00A=1\x00B=2\x00\x00" || err != nil {
		t.Errorf("two entries: %q, %v", got, err)
	}
	if got, err := environOf(start([]string{}...), &buf); len(got) != 2 || err != nil {
		t.Errorf("an empty one: %q, %v", got, err)
	}
	zombie := exec.Command("true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	for !dead(zombie.Process.Pid) {
		_ = syscall.Kill(zombie.Process.Pid, syscall.SIGCONT)
	}
	if _, err := environOf(zombie.Process.Pid, &buf); !errors.Is(goneOr(zombie.Process.Pid, err), ErrGone) {
		t.Errorf("a zombie: %v", err)
	}
	_ = zombie.Wait()
	if _, err := environOf(zombie.Process.Pid, &buf); !errors.Is(goneOr(zombie.Process.Pid, err), ErrGone) {
		t.Errorf("none: %v", err)
	}
	if got, err := environOf(os.Getpid(), &buf); len(got) <= 2 || err != nil {
		t.Errorf("ours: %d bytes, %v", len(got), err)
	}
}
