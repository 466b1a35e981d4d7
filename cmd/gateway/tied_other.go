//go:build !linux

package gateway

import (
	"os/exec"
	"syscall"
)

// startTied starts a child. Nothing here ends it with this process: it loses its gateway.
func startTied(cmd *exec.Cmd) (*tied, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	t := &tied{cmd: cmd, ended: make(chan error, 1)}
	go func() {
		err := cmd.Wait()
		t.mu.Lock()
		t.reaped = true
		t.mu.Unlock()
		t.ended <- err
	}()
	return t, nil
}
