package proc

import (
	"errors"
	"sync"
)

// ErrGone is matched by a GoneError (errors.Is).
var ErrGone = errors.New("process is gone")

// GoneError reports that the process of a Mark is dead, and that nothing of its group is left.
type GoneError struct {
	Exit Exit // Code -1 and no Signal where unknown; with its Tail always
}

// Error returns "process is gone: exit code 3".
func (e *GoneError) Error() string { return ErrGone.Error() + ": " + e.Exit.String() }

// Unwrap returns ErrGone.
func (e *GoneError) Unwrap() error { return ErrGone }

// Find looks for the process that m marks and returns at once. done is called exactly once, on
// another goroutine: with the process; with a *GoneError when it is dead; with ErrCancelled when
// cancel came first; with any other error (no /proc, no descriptors, errors.ErrUnsupported) when it
// is unknown whether it lives.
//
// A process is the marked one if it has the mark's pid and start time in the same boot, whatever
// its environment is now. Without a pid it is the leader of its group that has m.Env. Where it is
// dead, every process with m.Env or m.Owner is killed before done is called: otherwise a bot whose
// wrapper died in the absence of CONTROL would run twice.
//
// The exit of a child of ours, also after an exec in place, is known as if this program had started
// it; that of a foreign process is Exit{Code: -1}. cancel harms no process. A process that was
// found, claimed or not, is still watched, so that it leaves no zombie, and the next Find returns
// it again, to its new owner alone.
func Find(m Mark, done func(Process, error)) (cancel func()) {
	p := &process{output: m.Output, mark: m.Env, ooms: ooms(), found: true, over: make(chan struct{})}
	go p.adopt(m, alreadyWatched(m), done)
	return p.cancel
}

// adopt runs one search and watches the process that it found. other watches it already; nil: none
// does.
func (p *process) adopt(m Mark, other *process, done func(Process, error)) {
	found, err := p.find(m, other)
	p.mu.Lock()
	cancelled := p.cancelled
	p.mu.Unlock()
	switch {
	case err != nil:
		done(nil, err)
	case cancelled:
		done(nil, ErrCancelled)
	default:
		found.disown()
		done(found, nil)
	}
	if found == p {
		p.watch()
	}
}

// find returns p with the process that it found, or other, which watches that process already.
func (p *process) find(m Mark, other *process) (*process, error) {
	if other != nil {
		return other.stillThere()
	}
	p.oomsAt = p.ooms.count()
	c, dead, err := locate(m)
	if errors.Is(err, ErrGone) {
		left, doubt := sweep(m)
		if doubt != nil {
			return nil, doubt
		}
		err = &GoneError{Exit{Code: -1, Tail: Tail(m.Output, 0), Left: left}}
	}
	if err != nil {
		return nil, err
	}
	p.child, p.alive = c, true
	if other := register(p); other != p {
		c.forget()
		return other.stillThere()
	}
	if dead {
		p.watch()
		if p.exit.Doubt != "" {
			return nil, errors.New(p.exit.Doubt)
		}
		return nil, &GoneError{*p.exit}
	}
	return p, nil
}

// stillThere returns p, which is watched already. If it has died, it waits for the end of the
// search for what p left behind, and returns a *GoneError.
func (p *process) stillThere() (*process, error) {
	p.mu.Lock()
	dead := p.dead
	p.mu.Unlock()
	if !dead {
		return p, nil
	}
	<-p.over
	if p.exit.Doubt != "" {
		return nil, errors.New(p.exit.Doubt)
	}
	return nil, &GoneError{*p.exit}
}

// disown makes the next caller of Wait the owner.
func (p *process) disown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.found, p.died, p.exited = true, nil, nil
}

// watched holds the processes that a goroutine waits for, by pid: a second waiter would take the
// exit of one.
var watched = struct {
	sync.Mutex
	by map[int]*process
}{by: map[int]*process{}}

// register records that p is watched. It returns p, or the value that watches this process already.
func register(p *process) *process {
	watched.Lock()
	defer watched.Unlock()
	if other := watched.by[p.child.pid]; other != nil && other.child.started == p.child.started {
		return other
	}
	watched.by[p.child.pid] = p
	return p
}

// unregister undoes register.
func unregister(p *process) {
	watched.Lock()
	defer watched.Unlock()
	if watched.by[p.child.pid] == p {
		delete(watched.by, p.child.pid)
	}
}

// alreadyWatched returns the watched process of m; nil: none.
func alreadyWatched(m Mark) *process {
	watched.Lock()
	defer watched.Unlock()
	if p := watched.by[m.PID]; p != nil && p.child.started == m.Started {
		return p
	}
	return nil
}
