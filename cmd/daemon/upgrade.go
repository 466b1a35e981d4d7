package daemon

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/discluster/control/cmd/machine"
)

// upgradeLimit bounds how long `control upgrade` waits for the new CONTROL; it looks every
// upgradeStep.
const (
	upgradeLimit = 30 * time.Second
	upgradeStep  = 20 * time.Millisecond
)

// Upgrade upgrades the CONTROL of a state folder and returns a line about the new one.
func Upgrade(ctx context.Context, dir string) (result string, err error) {
	pid, err := machine.RunningIn(dir)
	if err != nil {
		return "", err
	}
	before, err := readState(dir)
	if err != nil {
		return "", err
	}
	if before.PID != pid {
		return "", fmt.Errorf("state.dir %s: CONTROL %d is still starting", dir, pid)
	}
	began := time.Now()
	if err := syscall.Kill(pid, syscall.SIGUSR2); err != nil {
		return "", fmt.Errorf("signal CONTROL %d: %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, upgradeLimit)
	defer cancel()
	ticker := time.NewTicker(upgradeStep)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return "", fmt.Errorf("CONTROL %d has not restarted within %v; look at its log", pid, time.Since(began).Round(time.Second))
		}
		alive := syscall.Kill(pid, 0) == nil
		now, err := readState(dir)
		switch {
		case err != nil:
			return "", err
		case now.PID == pid && !now.Started.Equal(before.Started):
			return fmt.Sprintf("CONTROL %d runs %s, started %.2f s after the order; before, it ran %s. Its bots kept serving.", pid, now.Version, now.Started.Sub(began).Seconds(), before.Version), nil
		case now.Refused != nil && now.Refused.At.After(began):
			return "", fmt.Errorf("CONTROL %d was not upgraded: %s", pid, now.Refused.Reason)
		case !alive:
			return "", fmt.Errorf("CONTROL %d has ended; look at its log. Its bots keep serving: start it again", pid)
		}
	}
}
