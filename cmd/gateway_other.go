//go:build !linux

package cmd

import "os/exec"

// startTied starts a process. Nothing here ends it with this one: it loses its gateway. Its exit
// comes by the channel.
func startTied(cmd *exec.Cmd) (<-chan error, error) {
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	return ended, nil
}
