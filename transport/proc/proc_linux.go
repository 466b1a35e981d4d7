package proc

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is a forked process that is not reaped so far: its pid, which stays its own until then, and
// a pidfd, which becomes readable when it ends. A foreign one was forked by another process, which
// will reap it (find_linux.go): its pid may be reused without our notice, which started reveals.
type child struct {
	pid     int
	started uint64 // clock ticks since boot, field 22 of /proc/<pid>/stat
	pidfd   int    // -1 on kernels before 5.2
	foreign bool
}

// fork starts path in a process group of its own. It returns once the program is running or the
// kernel refused it. It uses syscall.ForkExec rather than os.StartProcess, whose Wait reaps at
// once, and which would be a second owner of the pid.
func fork(path string, argv []string, attr *syscall.ProcAttr) (child, error) {
	c := child{pidfd: -1}
	attr.Sys = &syscall.SysProcAttr{Setpgid: true, PidFD: &c.pidfd}
	var err error
	if c.pid, err = expect(func() (int, error) { return syscall.ForkExec(path, argv, attr) }); err == nil {
		// a child can be read until it is reaped; without /proc it has no start time
		_, c.started, _ = look(c.pid)
	}
	return c, err
}

// await returns when the child has ended; it does not reap, so the pid cannot be reused before the
// group is swept. It parks in Go's poller, for 9 KiB a child; a blocked waitid costs a thread and
// 20 KiB, and is the fallback where the kernel has no pidfd to poll.
func (c child) await() {
	if c.pidfd >= 0 && c.park() == nil {
		return
	}
	c.pidfd = -1
	for !c.ended(0) {
		<-time.After(lookStep) // only its parent is notified of a foreign process without a pidfd
	}
}

// park waits for the pidfd, and closes it.
func (c child) park() error {
	err := unix.SetNonblock(c.pidfd, true) // or os.File does not poll it
	pidfd := os.NewFile(uintptr(c.pidfd), "pidfd")
	defer func() { _ = pidfd.Close() }()
	if err != nil {
		return err
	}
	raw, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	// checked once before, and once after each wake-up
	return raw.Read(func(uintptr) bool { return c.ended(unix.WNOHANG) })
}

// ended reports whether there is an exit to reap; without WNOHANG it blocks until there is, except
// for a foreign process. An error is an end too: the child is not ours any more.
func (c child) ended(options int) bool {
	if c.foreign {
		return c.foreignEnded()
	}
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_PID, c.pid, &info, unix.WEXITED|unix.WNOWAIT|options, nil)
		if err != unix.EINTR {
			return err != nil || info.Signo != 0
		}
	}
}

// reap takes the exit of a child that has ended, and with it the pid. It does not block.
func (c child) reap() (syscall.WaitStatus, error) {
	var status syscall.WaitStatus
	_, err := syscall.Wait4(c.pid, &status, syscall.WNOHANG, nil)
	reaped(c.pid)
	return status, err
}
