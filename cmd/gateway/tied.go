package gateway

import (
	"os/exec"
	"sync"
	"syscall"
)

// tied is a child that leads a group of its own and ends with this process, where the system can do
// that.
type tied struct {
	cmd   *exec.Cmd
	ended chan error // its exit

	mu     sync.Mutex
	reaped bool // its pid may be another's
}

// signal signals the child and what it started: npm or a shell starts the program that counts.
func (t *tied) signal(sig syscall.Signal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.reaped {
		_ = syscall.Kill(-t.cmd.Process.Pid, sig)
	}
}
