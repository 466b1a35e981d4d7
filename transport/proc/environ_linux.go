package proc

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// This file finds running processes by their environments: those that have an entry which CONTROL
// gave to a bot. A process may overwrite its environment, or hide it, so a process that is not
// found may still live; where a pid is known, it alone decides (locate).

// environMax limits the part of one environment that is read.
const environMax = 8 << 20

// eachEnviron calls fn with the environment of every process but our own and those in except, each
// entry between two zero bytes, or with the error of reading it. A zombie and a kernel thread have
// none.
func eachEnviron(except running, fn func(pid int, environ []byte, err error) error) error {
	all, err := list()
	if err != nil {
		return err
	}
	if _, self := all[os.Getpid()]; !self {
		return errors.New("/proc does not show our own processes")
	}
	buf := make([]byte, 16<<10)
	for pid, inode := range all {
		if pid == os.Getpid() || except.has(pid, inode) {
			continue
		}
		environ, err := environOf(pid, &buf)
		if err = goneOr(pid, err); errors.Is(err, ErrGone) {
			continue
		}
		if err := fn(pid, environ, err); err != nil {
			return err
		}
	}
	return nil
}

// Limits of environOf: the exec of a process that the kernel has preempted takes as long as that.
const (
	execMax  = 2 * time.Second
	execStep = time.Millisecond
)

// environOf reads the environment of a process. In the middle of an exec, when its parent may run
// on or have ended already, a process shows none: then it waits, for execMax at most.
func environOf(pid int, buf *[]byte) ([]byte, error) {
	for deadline := time.Now().Add(execMax); ; <-time.After(execStep) {
		environ, err := readEnviron(strconv.Itoa(pid), buf)
		if err != nil || len(environ) > len("\x00\x00") {
			return environ, err
		}
		fields, err := lookAt(pid)
		if err != nil || hasNoEnviron(fields) {
			return environ, err
		}
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("process %d has shown no environment for %v: it is in the middle of an exec", pid, execMax)
		}
	}
}

// hasNoEnviron reports whether a process whose environment was read as empty has none, by its
// proc_pid_stat(5), from field 3 on: it is a zombie or a kernel thread, without memory, or got an
// empty one. Otherwise it had none so far.
func hasNoEnviron(stat []string) bool {
	const memory, start, end = 23 - 3, 50 - 3, 51 - 3
	return stat[memory] == "0" || len(stat) <= end || stat[start] == stat[end] && stat[end] != "0"
}

// readEnviron reads an environment into a buffer that grows with it.
func readEnviron(pid string, buf *[]byte) ([]byte, error) {
	fd, err := syscall.Open("/proc/"+pid+"/environ", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer func() { _ = syscall.Close(fd) }() // only read from
	n := 1
	for {
		got, err := syscall.Read(fd, (*buf)[n:len(*buf)-1])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case err != nil:
			return nil, err
		case got == 0 || n > environMax:
			(*buf)[0], (*buf)[n] = 0, 0
			return (*buf)[:n+1], nil
		}
		if n += got; n == len(*buf)-1 {
			*buf = append(*buf, make([]byte, len(*buf))...)
		}
	}
}

// holds reports whether an environment has one of the entries. Empty entries are ignored.
func holds(environ []byte, entries ...string) bool {
	for _, entry := range entries {
		if entry != "" && bytes.Contains(environ, []byte("\x00"+entry+"\x00")) {
			return true
		}
	}
	return false
}

// leaderOf finds the process that leads its group and has the entry of m: of several, which a bot
// may start, the first. Without one it returns ErrGone, unless a process that started since then
// hides its environment and may be the bot.
func leaderOf(m Mark) (leader int, err error) {
	since, hidden := uint64(0), 0
	err = eachEnviron(nil, func(pid int, environ []byte, err error) error {
		switch {
		case errors.Is(err, fs.ErrPermission):
			if m.Env != "" && m.Started != 0 && mayBeBot(pid, m.Started) {
				hidden = pid
			}
		case err != nil:
			return err
		case holds(environ, m.Env):
			if group, gone := syscall.Getpgid(pid); gone != nil || group != pid {
				return nil //nolint:nilerr // it does not lead its group, or has ended
			}
			if _, started, err := look(pid); err == nil && (leader == 0 || started < since) {
				leader, since = pid, started
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return 0, err
	case leader != 0:
		return leader, nil
	case hidden != 0:
		return 0, fmt.Errorf("process %d, which started since, hides its environment and may be the bot; end it if it is", hidden)
	}
	return 0, ErrGone
}

// mayBeBot reports whether a process with a hidden environment may be a bot that started since
// then: it leads its group and runs as our user.
func mayBeBot(pid int, since uint64) bool {
	_, started, err := look(pid)
	group, _ := syscall.Getpgid(pid)
	return err == nil && started >= since && group == pid && ours(pid)
}

// ours reports whether a process runs as our user. The owner of its folder in /proc does not show
// this: a process that hides its memory belongs to root there.
func ours(pid int) bool {
	status, err := readProc(pid, "status")
	if err != nil {
		return false
	}
	_, line, _ := strings.Cut(status, "\nUid:")
	fields := strings.Fields(line)
	return len(fields) > 0 && fields[0] == strconv.Itoa(os.Getuid())
}

// memberOf finds a living member of a group whose leader is gone, which runs as our user and
// started no sooner than the leader; 0 for none.
func memberOf(group int, since uint64) (pid int, err error) {
	if syscall.Kill(-group, 0) == syscall.ESRCH || syscall.Kill(group, 0) == nil {
		return 0, nil // no such group, or that of another process which has the number now
	}
	names, err := os.ReadDir("/proc")
	for _, e := range names {
		pid, notPID := strconv.Atoi(e.Name())
		if notPID != nil {
			continue
		}
		fields, err := lookAt(pid)
		if err != nil {
			continue // it is gone; the caller searches again for others
		}
		started, err := strconv.ParseUint(fields[19], 10, 64)
		if err == nil && fields[2] == strconv.Itoa(group) && fields[0] != "Z" && fields[0] != "X" && started >= since && ours(pid) {
			return pid, nil
		}
	}
	return 0, err
}

// endRounds limits the rounds of end: a killed process may have forked just before.
const endRounds = 20

// end kills every process that has one of the entries, with the group it leads, until none is left.
// n counts them, except those that were sent SIGKILL before: a group outlives its leader for a
// moment. err is the reason why one may be left. Processes in except are not looked at.
func end(except running, entries ...string) (n int, err error) {
	if strings.Join(entries, "") == "" {
		return 0, nil
	}
	killed, last := map[int]bool{}, 0
	for range endRounds {
		var left []int
		err := eachEnviron(except, func(pid int, environ []byte, err error) error {
			switch {
			// another user's environment is hidden
			case err != nil && !errors.Is(err, fs.ErrPermission):
				return err
			case holds(environ, entries...):
				left = append(left, pid)
			}
			return nil
		})
		if err != nil || len(left) == 0 {
			return len(killed), err
		}
		for _, pid := range left {
			if !doomed(pid) {
				killed[pid] = true
			}
			last = pid
			kill(pid, entries...)
		}
		awaitGone(left)
	}
	return len(killed), fmt.Errorf("processes of the bot do not end after SIGKILL; one is %d", last)
}

// kill kills a process that has one of the entries, and its group if it leads one or if the leader
// is dead. The pidfd protects another process that has the pid now.
func kill(pid int, entries ...string) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		fd = -1
	} else {
		defer func() { _ = unix.Close(fd) }()
	}
	buf := make([]byte, 16<<10)
	if environ, err := environOf(pid, &buf); err != nil || !holds(environ, entries...) {
		return
	}
	if group, err := syscall.Getpgid(pid); err == nil && group != syscall.Getpgrp() && (group == pid || dead(group)) {
		_ = syscall.Kill(-group, syscall.SIGKILL)
	}
	if fd >= 0 {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
		return
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}

// doomed reports whether a process executes no further instruction, because it was sent SIGKILL.
func doomed(pid int) bool {
	status, err := readProc(pid, "status")
	if err != nil {
		return false
	}
	_, line, _ := strings.Cut(status, "\nShdPnd:")
	mask, _, _ := strings.Cut(line, "\n")
	pending, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
	return err == nil && pending&(1<<(syscall.SIGKILL-1)) != 0
}

// dead reports whether a process has ended.
func dead(pid int) bool {
	state, _, err := look(pid)
	return errors.Is(err, ErrGone) || err == nil && state == 'Z'
}

// awaitGone waits, for settleMax at most, until these processes have ended.
func awaitGone(pids []int) {
	for deadline := time.Now().Add(settleMax); time.Now().Before(deadline); <-time.After(settleStep) {
		if !slices.ContainsFunc(pids, func(pid int) bool { return !dead(pid) }) {
			return
		}
	}
}

// Holders lists the values of a variable in the environments of the running processes, each once,
// if they begin with prefix ("NAME=beginning").
func Holders(prefix string) (values []string, err error) {
	seen := map[string]bool{}
	name, _, _ := strings.Cut(prefix, "=")
	err = eachEnviron(nil, func(_ int, environ []byte, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrPermission) {
				return nil
			}
			return err
		}
		for entry := range bytes.SplitSeq(environ, []byte{0}) {
			if value := string(bytes.TrimPrefix(entry, []byte(name+"="))); bytes.HasPrefix(entry, []byte(prefix)) && !seen[value] {
				seen[value] = true
				values = append(values, value)
			}
		}
		return nil
	})
	return values, err
}
