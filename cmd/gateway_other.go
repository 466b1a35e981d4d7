//go:build !linux

package cmd

import (
	"os/exec"
	"syscall"
)

// startTied starts a process that leads a group of its own. Nothing here ends it with this one: it
// loses its gateway. Its exit comes by the channel.
func startTied(cmd *exec.Cmd) (<-chan error, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended, nil
}
