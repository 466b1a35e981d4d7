//go:build unix && !linux

package proc

import "syscall"

// child is a forked process, and after await its exit.
type child struct {
	pid     int
	started uint64 // 0: unknown
	status  syscall.WaitStatus
	err     error
}

// fork starts path in a process group of its own. It returns once the program is running or the
// kernel refused it.
func fork(path string, argv []string, attr *syscall.ProcAttr) (child, error) {
	attr.Sys = &syscall.SysProcAttr{Setpgid: true}
	pid, err := syscall.ForkExec(path, argv, attr)
	return child{pid: pid}, err
}

// await returns when the child has ended. Without Linux's waitid it reaps as well, so that for an
// instant a signal may go to a pid that has just become free; these systems are for development.
func (c *child) await() {
	for {
		_, c.err = syscall.Wait4(c.pid, &c.status, 0, nil)
		if c.err != syscall.EINTR {
			return
		}
	}
}

// pidReused reports whether the pid belongs to another process now; unknown here.
func (c *child) pidReused() bool { return false }

// reap returns the exit that await saw.
func (c *child) reap() (syscall.WaitStatus, error) { return c.status, c.err }
