package demo

import (
	"os/exec"
	"slices"
	"testing"
)

// A process that has ended is none of the demo's, whatever has its pid.
func TestDemoProcesses(t *testing.T) {
	var p processes
	start := func() *exec.Cmd {
		c := exec.Command("sleep", "1000")
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Process.Kill(); _ = c.Wait() })
		p.add(c.Process.Pid)
		return c
	}
	first, second := start(), start()
	p.add(first.Process.Pid) // it is known
	p.kill(first.Process.Pid)
	_ = first.Wait()
	p.kill(first.Process.Pid)
	if left, all := p.left(); !slices.Equal(left, []int{second.Process.Pid}) || all != 2 {
		t.Errorf("%v of %d are left, want %d of 2", left, all, second.Process.Pid)
	}
	if _, keeps := p.living[first.Process.Pid]; keeps {
		t.Error("a process that has ended is kept")
	}
}
