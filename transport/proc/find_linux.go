package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lookStep is how often a stranger is looked at where the kernel has no pidfd to wait for (before 5.3).
const lookStep = 20 * time.Millisecond

// locate finds the process of m. dead: it has ended, and waits to be reaped. ErrGone: there is none, and nothing is left of it either.
func locate(m Mark) (c child, dead bool, err error) {
	if c.pid = m.PID; c.pid == 0 {
		if c.pid, err = leaderOf(m.Env); err != nil {
			return child{}, false, err
		}
	}
	if c.pidfd, err = unix.PidfdOpen(c.pid, 0); err != nil {
		c.pidfd = -1
	}
	dead, err = c.identify(m)
	if err != nil {
		c.forget()
	}
	if errors.Is(err, ErrGone) && syscall.Kill(-c.pid, 0) == nil { // a group with this number, perhaps the rest of ours
		pids, err := holders(m.Env)
		if err != nil {
			return child{}, false, err
		}
		sweep(pids)
	}
	return c, dead, err
}

// identify looks whether c is the process of m, and whose child it is.
func (c *child) identify(m Mark) (dead bool, err error) {
	_, c.started, err = look(c.pid)
	switch {
	case err != nil:
		return false, err
	case m.PID != 0 && c.started != m.Started:
		return false, ErrGone
	}
	err = unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	c.stranger = errors.Is(err, unix.ECHILD)
	if c.ended(unix.WNOHANG) { // its environment is gone with its memory
		return true, nil
	}
	switch has, err := holds(c.pid, m.Env); {
	case err != nil:
		return false, err
	case !has:
		return false, ErrGone
	}
	return false, nil
}

// forget lets go of a child that nobody waits for.
func (c *child) forget() {
	if c.pidfd >= 0 {
		_ = syscall.Close(c.pidfd)
	}
}

// left is ended, for a stranger.
func (c child) left() bool {
	if c.pidfd >= 0 {
		fds := []unix.PollFd{{Fd: int32(c.pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n > 0
	}
	state, started, err := look(c.pid)
	return errors.Is(err, ErrGone) || err == nil && (started != c.started || state == 'Z')
}

// taken reports whether the pid is another process's by now. While the leader or a member of its group is there it cannot be.
func (c child) taken() bool {
	if !c.stranger {
		return false
	}
	_, started, err := look(c.pid)
	return err == nil && started != c.started
}

// look reads the state and the start, in clock ticks since boot, of a process; ErrGone when there is none.
func look(pid int) (state byte, started uint64, err error) {
	text, err := readProc(pid, "stat")
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the name before it may hold anything; what follows begins with field 3
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields)+2)
	}
	started, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0][0], started, err
}

// holds reports whether the environment that a process was started with has the entry.
func holds(pid int, entry string) (bool, error) {
	text, err := readProc(pid, "environ")
	return entry != "" && strings.Contains("\x00"+text, "\x00"+entry+"\x00"), err
}

// readProc reads a file of /proc/<pid>; ErrGone when there is no such process.
func readProc(pid int, name string) (string, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name)
	switch {
	case err == nil:
		return string(text), nil
	case errors.Is(err, syscall.ESRCH), errors.Is(err, fs.ErrNotExist) && syscall.Kill(pid, 0) == syscall.ESRCH: // else there is no /proc
		return "", ErrGone
	default:
		return "", err
	}
}

// leaderOf finds the process that leads its group and holds the entry: of several, which a bot may start, the first. Without one it is ErrGone.
func leaderOf(entry string) (int, error) {
	pids, err := holders(entry)
	if err != nil {
		return 0, err
	}
	leader, since := 0, uint64(0)
	for _, pid := range pids {
		group, _ := syscall.Getpgid(pid)
		if _, started, err := look(pid); err == nil && group == pid && (leader == 0 || started < since) {
			leader, since = pid, started
		}
	}
	if leader == 0 {
		sweep(pids)
		return 0, ErrGone
	}
	return leader, nil
}

// holders lists the processes that hold the entry, as far as we may know: nobody sees into another user's. We ourselves are none.
func holders(entry string) (pids []int, err error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, err
	}
	self := false
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if pid == os.Getpid() {
			self = true
			continue
		}
		switch has, err := holds(pid, entry); {
		case has:
			pids = append(pids, pid)
		case err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, fs.ErrPermission):
			return nil, err
		}
	}
	if !self {
		return nil, errors.New("/proc does not show our own processes")
	}
	return pids, nil
}

// sweep kills the groups of these processes whose leaders are dead.
func sweep(pids []int) {
	for _, pid := range pids {
		group, err := syscall.Getpgid(pid)
		if err != nil || group == syscall.Getpgrp() {
			continue
		}
		if state, _, err := look(group); errors.Is(err, ErrGone) || state == 'Z' {
			_ = syscall.Kill(-group, syscall.SIGKILL)
			settle(group)
		}
	}
}
