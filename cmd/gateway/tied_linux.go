package gateway

import (
	"errors"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// startTied starts a child that the kernel kills when this process dies. The rest of its group is
// killed when it ends.
func startTied(cmd *exec.Cmd) (*tied, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	t, started := &tied{cmd: cmd, ended: make(chan error, 1)}, make(chan error)
	go func() {
		runtime.LockOSThread() // the signal comes when the thread ends that has started the process
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			t.ended <- t.reap()
		}
	}()
	return t, <-started
}

// reap waits for the end, and kills the rest of the group while its number cannot be another's.
func (t *tied) reap() error {
	for errors.Is(unix.Waitid(unix.P_PID, t.cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil), unix.EINTR) {
	}
	t.signal(syscall.SIGKILL)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reaped = true
	return t.cmd.Wait()
}
