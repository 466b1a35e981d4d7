package proc

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// reapEvery is the interval of searches for orphans without a signal, since the kernel merges
	// signals.
	reapEvery = time.Second
	// inheritedFor is the time for which children that an earlier program left in this process, by
	// exec in place, are kept for Find.
	inheritedFor = time.Minute
)

// ReapOrphans reaps dead children that no goroutine here waits for, until ctx ends, and then closes
// the channel that it returns at once. Pid 1 of a container gets such children: every process there
// whose parent dies first. Without a reaper each stays in the process table, which is finite.
func ReapOrphans(ctx context.Context) (ended <-chan struct{}) {
	inherited := map[int]bool{}
	for pid := range childrenOf(os.Getpid()) {
		inherited[pid] = true
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		keepReaping(ctx, inherited)
	}()
	return done
}

func keepReaping(ctx context.Context, inherited map[int]bool) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGCHLD)
	defer signal.Stop(signals)
	ticker := time.NewTicker(reapEvery)
	defer ticker.Stop()
	until := time.Now().Add(inheritedFor)
	for {
		if time.Now().After(until) {
			clear(inherited)
		}
		reapOrphans(inherited)
		select {
		case <-signals:
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

// reapOrphans reaps the orphans that are dead now, except those in spare.
func reapOrphans(spare map[int]bool) {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT|unix.WNOHANG, nil)
	if err == nil && info.Signo == 0 || errors.Is(err, unix.ECHILD) {
		return // no child is dead
	}
	expected.Lock()
	defer expected.Unlock()
	expected.noting.Lock()
	defer expected.noting.Unlock()
	for pid, state := range childrenOf(os.Getpid()) {
		if state == 'Z' && !spare[pid] && !expected.pids[pid] && !isWatched(pid) {
			_, _ = syscall.Wait4(pid, nil, syscall.WNOHANG, nil)
		}
	}
}

// childrenOf returns the children of a process, with their states; none where /proc cannot be read.
func childrenOf(parent int) map[int]byte {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	all := map[int]byte{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if fields, err := lookAt(pid); err == nil && fields[1] == strconv.Itoa(parent) {
			all[pid] = fields[0][0]
		}
	}
	return all
}

// isWatched reports whether a pid belongs to a process that was started or found here.
func isWatched(pid int) bool {
	watched.Lock()
	defer watched.Unlock()
	return watched.by[pid] != nil
}
