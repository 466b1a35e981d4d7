package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// lockFile is in a state folder, but is not one of a World's files.
const lockFile = "lock"

// A lock that is held is tried again every lockStep for lockLimit.
const (
	lockLimit = 500 * time.Millisecond
	lockStep  = 10 * time.Millisecond
)

// LockFolder takes the lock of a state folder, until release or the end of this program. It fails
// if another CONTROL runs on the folder, and names its pid where that is known.
func LockFolder(dir string) (release func(), err error) {
	lock := flock.New(filepath.Join(dir, lockFile))
	if info, err := os.Stat(lock.Path()); err == nil {
		if err := stateFile(lock.Path(), info); err != nil {
			return nil, err
		}
	}
	// A CONTROL that was just killed, or a command that looks whether the lock is held, releases it
	// by then.
	ctx, cancel := context.WithTimeout(context.Background(), lockLimit)
	defer cancel()
	switch mine, err := lock.TryLockContext(ctx, lockStep); {
	case err != nil && !errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("state.dir %s: lock: %w", dir, err)
	case !mine:
		which := ""
		if pid, err := RunningIn(dir); err == nil {
			which = fmt.Sprintf(" (pid %d)", pid)
		}
		return nil, fmt.Errorf("state.dir %s: another CONTROL runs on it%s; each needs a state folder of its own", dir, which)
	}
	// `control upgrade` reads the pid, and reports if it is missing.
	_ = os.WriteFile(lock.Path(), fmt.Appendln(nil, os.Getpid()), 0o600)
	return func() { _ = lock.Unlock() }, nil
}

// RunningIn returns the pid of the CONTROL that holds the lock of a state folder.
func RunningIn(dir string) (pid int, err error) {
	path := filepath.Join(dir, lockFile)
	text, err := ReadFile(path)
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

// FolderOf returns the state folder that a process has locked, found by its open files; "" for
// pid 0.
func FolderOf(pid int) (dir string, err error) {
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
		if holder, err := RunningIn(filepath.Dir(path)); err == nil && holder == pid {
			return filepath.Dir(path), nil
		}
	}
	return "", fmt.Errorf("--pid %d: %w", pid, errors.New("it is not a running CONTROL"))
}
