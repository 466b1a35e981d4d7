package demo

import (
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
)

// processes holds the bots of a demo. It keeps a handle of each that may live, so that a signal
// never reaches another process that has the pid by then. The zero value is empty.
type processes struct {
	mu     sync.Mutex
	living map[int]*os.Process
	n      int
}

// add takes a process that was started a moment ago, or is known.
func (p *processes) add(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	if p.living[pid] != nil {
		return
	}
	if p.living == nil {
		p.living = map[int]*os.Process{}
	}
	if h, err := os.FindProcess(pid); err == nil {
		p.living[pid] = h
	}
	p.n++
}

// sweep forgets the processes that have ended.
func (p *processes) sweep() {
	for pid, h := range p.living {
		if h.Signal(syscall.Signal(0)) != nil {
			_ = h.Release()
			delete(p.living, pid)
		}
	}
}

// kill kills a process, unless it has ended.
func (p *processes) kill(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if h := p.living[pid]; h != nil {
		_ = h.Kill() // it may have ended by itself
	}
}

// left returns the processes that have not ended, and how many there were in all.
func (p *processes) left() (pids []int, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sweep()
	return slices.Sorted(maps.Keys(p.living)), p.n
}
