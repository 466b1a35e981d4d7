package proc

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"
)

// ErrCancelled is what done hears when cancel came before it: nothing was started, or it is dead and reaped by now.
var ErrCancelled = errors.New("start cancelled")

// Start starts spec and returns at once. done is called exactly once, on another goroutine, with a running process or with the reason why there is none:
// a *SpecError when only the operator can cure it, ErrCancelled when cancel came first, anything else (no memory, no descriptors) may pass.
//
// cancel abandons the attempt and kills the group of a process whose Wait was not called yet; after Wait it does nothing. It never blocks, and may be called from anywhere, more than once.
func Start(spec Spec, done func(Process, error)) (cancel func()) {
	p := &process{output: spec.Output, mark: spec.Mark, ooms: ooms()}
	go p.run(spec, done)
	return p.cancel
}

// process is one attempt and, if it succeeds, the process that came of it. One goroutine, run, leads it from fork to exit, so there is always somebody who reaps.
type process struct {
	output string // Spec.Output
	mark   string // Spec.Mark
	before int64  // its size when we started: what earlier lives wrote
	ooms   *oomCounter
	oomsAt int64 // its count when we started
	child  child // written once, before done

	mu        sync.Mutex // guards what follows, and holds the pid in place: signals are sent and the child is reaped under it
	alive     bool       // forked and not reaped, so its pid and its group are ours
	killed    bool       // we sent SIGKILL
	cancelled bool
	found     bool       // somebody has found it since: it is no longer Start's cancel that decides
	exited    func(Exit) // given by Wait
	exit      *Exit      // set when all is over
}

// run is the life of one attempt.
func (p *process) run(spec Spec, done func(Process, error)) {
	if err := p.start(spec); err != nil {
		done(nil, err)
		return
	}
	p.mu.Lock()
	p.alive = true
	cancelled := p.cancelled
	if cancelled {
		p.kill(syscall.SIGKILL)
	}
	p.mu.Unlock()
	if cancelled { // during the fork: nobody has heard of this process, so nobody hears of it before it is dead
		p.watch()
		done(nil, ErrCancelled)
		return
	}
	hold(p)
	done(p, nil)
	p.watch()
}

// start forks. Every descriptor it opens is closed on our side when it returns.
func (p *process) start(spec Spec) error {
	path, err := check(spec)
	if err != nil {
		return err
	}
	if err := makeFolders(spec.Folders); err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("start %q: %w", spec.Argv[0], err)
	}
	defer func() { _ = null.Close() }() // only read from: closing it cannot lose anything
	stdout, stderr := os.Stdout, os.Stderr
	if spec.Output != "" {
		file, size, err := openOutput(spec.Output)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // we write nothing
		stdout, stderr, p.before = file, file, size
	}
	p.mu.Lock()
	cancelled := p.cancelled
	p.mu.Unlock()
	if cancelled {
		return ErrCancelled
	}
	p.oomsAt = p.ooms.count()
	p.child, err = fork(path, spec.Argv, &syscall.ProcAttr{
		Dir:   spec.Dir,
		Env:   spec.Env,
		Files: []uintptr{null.Fd(), stdout.Fd(), stderr.Fd()},
	})
	if err != nil {
		return explain(spec, path, err)
	}
	return nil
}

// watch waits for the leader's end, takes the rest of its group and what holds its mark along, and
// tells.
func (p *process) watch() {
	p.child.await()
	p.mu.Lock()
	taken := p.child.taken()
	if !taken {
		_ = syscall.Kill(-p.child.pid, syscall.SIGKILL) // ESRCH: the leader was alone
	}
	status, err := p.child.reap()
	p.alive = false
	killed := p.killed
	p.mu.Unlock()
	if !taken {
		settle(p.child.pid)
	}

	exit := Exit{Code: -1, Tail: tail(p.output, p.before)}
	left, doubt := end(p.mark)
	if exit.Left = left; doubt != nil {
		exit.Doubt = doubt.Error()
	}
	switch {
	case err != nil: // somebody else reaped it, as a stranger's parent does: nothing is known
	case status.Signaled():
		exit.Signal = status.Signal()
		exit.OOM = exit.Signal == syscall.SIGKILL && !killed && p.ooms.explains(p.oomsAt)
	default:
		exit.Code = status.ExitStatus()
	}
	p.mu.Lock()
	p.exit = &exit
	exited := p.exited
	p.mu.Unlock()
	drop(p)
	if exited != nil {
		exited(exit)
	}
}

// How long, and how often, settle looks. What was sent SIGKILL runs no instruction of its own any more; only the kernel's tidying takes time.
const (
	settleMax  = 50 * time.Millisecond
	settleStep = time.Millisecond
)

// settle waits, for settleMax at most, until the swept group is really gone, so that the next life finds its ports and sockets free: the bot is often a child of "npm" or "sh".
// Where orphans come to us (pid 1 of a container, a subreaper) it reaps those of this group.
func settle(group int) {
	deadline := time.Now().Add(settleMax)
	for syscall.Kill(-group, 0) == nil && time.Now().Before(deadline) {
		if reaped, err := syscall.Wait4(-group, nil, syscall.WNOHANG, nil); err == nil && reaped > 0 {
			continue
		}
		<-time.After(settleStep) // members that are not our children tell nobody but their parent
	}
}

// PID is the leader's, which is its group's as well.
func (p *process) PID() int { return p.child.pid }

// Mark implements Process.
func (p *process) Mark() Mark { return Mark{PID: p.child.pid, Started: p.child.started, Boot: boot()} }

// Wait implements Process.
func (p *process) Wait(exited func(Exit)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exited != nil {
		panic("proc: Wait called twice")
	}
	p.exited = exited
	if p.exit != nil {
		go exited(*p.exit)
	}
}

// Signal implements Process.
func (p *process) Signal(sig syscall.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kill(sig)
}

// cancel is what Start returns.
func (p *process) cancel() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancelled = true
	if p.exited == nil && !p.found {
		p.kill(syscall.SIGKILL)
	}
}

// kill signals the group, or a leader that left it alone; p.mu is held. It cannot fail in a way that matters: until the leader is reaped the group exists,
// and a member that changed its user is its own business.
func (p *process) kill(sig syscall.Signal) {
	if !p.alive || p.child.taken() {
		return
	}
	p.killed = p.killed || sig == syscall.SIGKILL
	target := -p.child.pid
	if group, err := syscall.Getpgid(p.child.pid); err == nil && group != p.child.pid {
		target = p.child.pid
	}
	_ = syscall.Kill(target, sig)
}
