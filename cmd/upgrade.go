package cmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/discluster/control/config"
)

// upgradeLimit bounds how long `control upgrade` waits for the new CONTROL; it looks every
// upgradeStep.
const (
	upgradeLimit = 30 * time.Second
	upgradeStep  = 20 * time.Millisecond
)

func upgradeCommand() *cobra.Command {
	var load func() (*config.Config, error)
	var pid int
	c := &cobra.Command{
		Use:   "upgrade",
		Short: "Upgrade a running CONTROL in place; bots keep serving",
		Long: "Replace the CONTROL of a state folder (state.dir of the configuration) by the installed program, in the same process, and wait until that runs.\n" +
			"It adopts the running bots, so that no shard identifies, and reads the configuration again. If the program or the configuration is broken, nothing changes.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := stateFolderOf(pid)
			if pid == 0 {
				var conf *config.Config
				if conf, err = load(); err == nil {
					dir = conf.State.Dir
				}
			}
			if err != nil {
				return err
			}
			result, err := upgrade(cmd.Context(), dir)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), result)
			return err
		},
	}
	load = configFlags(c)
	c.Flags().IntVar(&pid, "pid", 0, "upgrade the CONTROL with this pid instead of a state folder's (Linux only)")
	return c
}

// upgrade upgrades the CONTROL of a state folder and returns a line about the new one.
func upgrade(ctx context.Context, dir string) (result string, err error) {
	pid, err := runningIn(dir)
	if err != nil {
		return "", err
	}
	before, err := readDaemonState(dir)
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
		now, err := readDaemonState(dir)
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

// runningIn returns the pid of the CONTROL that holds the lock of a state folder.
func runningIn(dir string) (pid int, err error) {
	path := filepath.Join(dir, lockFile)
	text, err := readState(path)
	if err != nil {
		return 0, fmt.Errorf("state.dir %s: no CONTROL runs on it: %w", dir, err)
	}
	lock := flock.New(path, flock.SetFlag(os.O_RDONLY))
	free, err := lock.TryRLock()
	_ = lock.Unlock()
	switch {
	case err != nil:
		return 0, fmt.Errorf("state.dir %s: lock: %w", dir, err)
	case free:
		return 0, fmt.Errorf("state.dir %s: no CONTROL runs on it; name another by --config, --state.dir or --pid", dir)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(string(text))); err != nil || pid < 1 {
		return 0, fmt.Errorf("state.dir %s: a CONTROL runs on it, but its lock holds no pid", dir)
	}
	return pid, nil
}

func readDaemonState(dir string) (s daemonState, err error) {
	text, err := readState(filepath.Join(dir, daemonFile))
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		err = fmt.Errorf("state.dir %s: %s: %w", dir, daemonFile, err)
	}
	return s, err
}

// stateFolderOf returns the state folder that a process has locked, found by its open files; "" for
// pid 0.
func stateFolderOf(pid int) (dir string, err error) {
	if pid == 0 {
		return "", nil
	}
	fds := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(fds)
	if err != nil {
		return "", fmt.Errorf("--pid %d: %w", pid, err)
	}
	for _, e := range entries {
		path, err := os.Readlink(filepath.Join(fds, e.Name()))
		if err != nil || filepath.Base(path) != lockFile {
			continue
		}
		if holder, err := runningIn(filepath.Dir(path)); err == nil && holder == pid {
			return filepath.Dir(path), nil
		}
	}
	return "", fmt.Errorf("--pid %d: %w", pid, errors.New("it is not a running CONTROL"))
}
