package proc

import (
	"os/exec"
	"sync"
)

// expected holds the pids of our children that a goroutine here waits for; ReapOrphans leaves them
// alone. Forks hold the lock shared until the pid is recorded, so that no child is dead and
// unknown.
var expected = struct {
	sync.RWMutex
	noting sync.Mutex
	pids   map[int]bool
}{pids: map[int]bool{}}

// expect runs a fork and records the child's pid as one that its caller will reap.
func expect(fork func() (pid int, err error)) (int, error) {
	expected.RLock()
	defer expected.RUnlock()
	pid, err := fork()
	if err == nil {
		expected.noting.Lock()
		defer expected.noting.Unlock()
		expected.pids[pid] = true
	}
	return pid, err
}

// reaped removes a pid that expect recorded.
func reaped(pid int) {
	expected.noting.Lock()
	defer expected.noting.Unlock()
	delete(expected.pids, pid)
}

// Run runs c like c.Run in a program that may be pid 1: ReapOrphans does not take the exit of c.
func Run(c *exec.Cmd) error {
	pid, err := expect(func() (int, error) {
		if err := c.Start(); err != nil {
			return 0, err
		}
		return c.Process.Pid, nil
	})
	if err != nil {
		return err
	}
	defer reaped(pid)
	return c.Wait()
}
