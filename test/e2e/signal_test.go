package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// This file sends signals to processes that a test knows by their pid. By the time it does, another
// process may have the pid.

// carrying returns the processes that were started with a variable in their environment.
func carrying(name, value string) (pids []int) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		panic(err) // the pattern is valid
	}
	for _, dir := range dirs {
		if pid, _ := strconv.Atoi(filepath.Base(dir)); carries(pid, name, value) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// carries reports whether a process was started with a variable in its environment.
func carries(pid int, name, value string) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && slices.Contains(strings.Split(string(env), "\x00"), name+"="+value)
}

// signalIf sends a signal to a process for which is holds. What is checked gets the signal: the
// handle of a process that ended is not another's.
func signalIf(pid int, sig os.Signal, is func(pid int) bool) error {
	handle, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	defer func() { _ = handle.Release() }()
	if !is(pid) {
		return fmt.Errorf("process %d is gone, or another", pid)
	}
	return handle.Signal(sig)
}

// signalCarrier sends a signal to a process, if it carries a variable.
func signalCarrier(pid int, sig os.Signal, name, value string) error {
	return signalIf(pid, sig, func(pid int) bool { return carries(pid, name, value) })
}

// signal sends a signal to a process that p started, or that these started.
func (p *process) signal(pid int, sig syscall.Signal) {
	p.t.Helper()
	if err := signalCarrier(pid, sig, markVariable, p.mark); err != nil {
		p.t.Fatal(err)
	}
}

// startOf returns when a process started, as the kernel counts; "" when there is none.
func startOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	return string(bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])[22-3]) // field 22 of proc_pid_stat(5)
}

// killAtEnd kills a process at the end of the test that runs now, and may carry nothing.
func killAtEnd(t *testing.T, pid int) {
	t.Helper()
	started := startOf(pid)
	if started == "" {
		t.Fatalf("process %d is gone", pid)
	}
	t.Cleanup(func() {
		_ = signalIf(pid, syscall.SIGKILL, func(pid int) bool { return startOf(pid) == started }) // it may have ended
	})
}

// A pid that was read before is signalled only while it is the same process.
func TestSignalsKnowTheirProcess(t *testing.T) {
	t.Parallel()
	p := role(t, lonely(nil), "ready")
	p.line("cluster.ready")
	if err := signalCarrier(os.Getpid(), syscall.Signal(0), markVariable, p.mark); err == nil {
		t.Error("this process does not carry the mark, and was signalled")
	}
	bot := p.clusters()[0]
	if err := signalCarrier(bot, syscall.Signal(0), markVariable, p.mark); err != nil {
		t.Error(err)
	}
	if err := signalIf(bot, syscall.Signal(0), func(pid int) bool { return startOf(pid) == "1" }); err == nil {
		t.Error("a process that started at another time was signalled")
	}
	p.stop()
	if err := signalCarrier(bot, syscall.SIGKILL, markVariable, p.mark); err == nil {
		t.Error("a process that has ended was signalled")
	}
}

// parent returns the process that started another, or has adopted it.
func parent(t *testing.T, pid int) int {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	id, err := strconv.Atoi(string(bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])[1])) // field 4 of proc_pid_stat(5)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
