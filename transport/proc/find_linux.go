package proc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// lookStep is the interval of checks on a foreign process where the kernel has no pidfd to wait for
// (before 5.3).
const lookStep = 20 * time.Millisecond

// boot returns the id of this machine's boot; "" where the kernel has none.
var boot = sync.OnceValue(func() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
})

// Intent returns the mark of a process that is about to be started: it starts in this boot, from
// now on.
func Intent() Mark {
	var up unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &up); err != nil {
		return Mark{Boot: boot()}
	}
	return Mark{Boot: boot(), Started: uint64(time.Duration(up.Nano()) / tick)}
}

// locate finds the process of m. dead: it has ended, and waits to be reaped. ErrGone: there is
// none.
func locate(m Mark) (c child, dead bool, err error) {
	if m.Boot != "" && boot() != "" && m.Boot != boot() {
		return child{}, false, ErrGone // no process survives its boot
	}
	c.pid = m.PID
	byEnv := m.PID == 0 || m.Started == 0
	if byEnv {
		if c.pid, err = leaderOf(m); err != nil {
			return child{}, false, err
		}
	}
	if c.pidfd, err = unix.PidfdOpen(c.pid, 0); err != nil {
		c.pidfd = -1
	}
	_, c.started, err = look(c.pid)
	if err == nil && !byEnv && c.started != m.Started {
		err = ErrGone
	}
	if err != nil {
		c.forget()
		return child{}, false, err
	}
	err = unix.Waitid(unix.P_PID, c.pid, nil, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	c.foreign = errors.Is(err, unix.ECHILD)
	return c, c.ended(unix.WNOHANG), nil
}

// sweep kills the rest of a process that is gone. err is the reason why something may still live.
func sweep(m Mark) (left int, err error) {
	if left, err = end(nil, m.Env, m.Owner); err != nil || m.PID == 0 || m.Boot != boot() {
		return left, err
	}
	switch pid, err := memberOf(m.PID, m.Started); {
	case err != nil:
		return left, err
	case pid != 0:
		return left, fmt.Errorf("process %d is in the group of process %d, which is gone, and hides its environment; end it if it belongs to the bot", pid, m.PID)
	}
	return left, nil
}

// forget releases a child that no goroutine waits for.
func (c *child) forget() {
	if c.pidfd >= 0 {
		_ = syscall.Close(c.pidfd)
	}
}

// foreignEnded reports whether a foreign process has ended.
func (c child) foreignEnded() bool {
	if c.pidfd >= 0 {
		fds := []unix.PollFd{{Fd: int32(c.pidfd), Events: unix.POLLIN}}
		n, err := unix.Poll(fds, 0)
		return err == nil && n > 0
	}
	state, started, err := look(c.pid)
	return errors.Is(err, ErrGone) || err == nil && (started != c.started || state == 'Z')
}

// pidReused reports whether the pid belongs to another process now. It cannot while the leader or a
// member of its group exists.
func (c child) pidReused() bool {
	if !c.foreign {
		return false
	}
	_, started, err := look(c.pid)
	return err == nil && started != c.started
}

// look reads the state and the start, in clock ticks since boot, of a process; ErrGone when there
// is none.
func look(pid int) (state byte, started uint64, err error) {
	fields, err := lookAt(pid)
	if err != nil {
		return 0, 0, err
	}
	started, err = strconv.ParseUint(fields[19], 10, 64)
	return fields[0][0], started, err
}

// lookAt reads the fields of proc_pid_stat(5) from field 3 on; ErrGone when there is no such
// process.
func lookAt(pid int) ([]string, error) {
	text, err := readProc(pid, "stat")
	if err != nil {
		return nil, err
	}
	// the name before it may contain any byte
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return nil, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(fields)+2)
	}
	return fields, nil
}

// readProc reads a file of /proc/<pid>; ErrGone when there is no such process.
func readProc(pid int, name string) (string, error) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/" + name)
	if err != nil {
		return "", goneOr(pid, err)
	}
	return string(text), nil
}

// goneOr returns ErrGone if err is due to the end of a process, else err. fs.ErrNotExist alone does
// not show it: /proc may be missing.
func goneOr(pid int, err error) error {
	if errors.Is(err, syscall.ESRCH) || errors.Is(err, fs.ErrNotExist) && syscall.Kill(pid, 0) == syscall.ESRCH {
		return ErrGone
	}
	return err
}
