package proc

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// ErrCancelled is done's error when cancel came first: nothing was started, or it is dead and
// reaped.
var ErrCancelled = errors.New("start cancelled")

// Start starts spec and returns at once. done is called exactly once, on another goroutine, with a
// running process or with the reason why there is none: a *SpecError that only the operator can
// fix, ErrCancelled when cancel came first, any other error (no memory, no descriptors) may pass.
//
// cancel abandons the attempt and kills the group of a process whose Wait was not called so far;
// after Wait it does nothing. It never blocks, and is safe for concurrent and repeated use.
func Start(spec Spec, done func(Process, error)) (cancel func()) {
	p := &process{output: spec.Output, mark: spec.Mark, ooms: ooms(), over: make(chan struct{})}
	go p.run(spec, done)
	return p.cancel
}

// process is one attempt and, if it succeeds, its process. One goroutine, run, leads it from fork
// to exit, so that it is always reaped.
type process struct {
	output string  // Spec.Output
	mark   string  // Spec.Mark
	before int64   // size of output at our start: that of earlier runs
	others running // that ran before it: none of them has its mark
	ooms   *oomCounter
	oomsAt int64 // its count at our start
	child  child // written once, before done

	// guards what follows, and the pid: signals are sent and the child is reaped under it
	mu        sync.Mutex
	alive     bool // forked and not reaped, so its pid and its group are ours
	killed    bool // we sent SIGKILL
	cancelled bool
	found     bool       // Find returned it since: Start's cancel no longer applies
	died      func(Exit) // set by Died
	exited    func(Exit) // set by Wait
	dead      bool       // reaped; processes with its mark may live
	exit      *Exit      // set at the end

	over chan struct{} // closed at the end
}

// run performs one attempt and watches its process.
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
	// during the fork: done was not called, and is called only after the process is dead
	if cancelled {
		p.watch()
		done(nil, ErrCancelled)
		return
	}
	register(p)
	done(p, nil)
	makeSpare(spec.Spare)
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
		file, size, err := openOutput(spec.Output, spec.Spare)
		if err != nil {
			return err
		}
		defer func() { _ = file.Close() }() // this program writes nothing
		stdout, stderr, p.before = file, file, size
	}
	p.mu.Lock()
	cancelled := p.cancelled
	p.mu.Unlock()
	if cancelled {
		return ErrCancelled
	}
	files := []uintptr{null.Fd(), stdout.Fd(), stderr.Fd()}
	for _, file := range spec.Files {
		files = append(files, file.Fd())
	}
	p.oomsAt, p.others = p.ooms.count(), alreadyRunning()
	p.child, err = fork(path, slices.Concat(spec.Runner, spec.Argv), &syscall.ProcAttr{
		Dir:   spec.Dir,
		Env:   lastOf(spec.Env),
		Files: files,
	})
	if err != nil {
		return explain(spec, path, err)
	}
	return nil
}

// lastOf returns an environment with the last entry of each name: of several, most programs take
// the first, and some the last.
func lastOf(env []string) []string {
	at := map[string]int{}
	for i, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		at[name] = i
	}
	var last []string
	for i, kv := range env {
		if name, _, _ := strings.Cut(kv, "="); at[name] == i {
			last = append(last, kv)
		}
	}
	return last
}

// watch waits for the leader's end, ends the rest of its group and the processes with its mark, and
// reports the exit.
func (p *process) watch() {
	p.child.await()
	p.mu.Lock()
	taken := p.child.pidReused()
	if !taken {
		_ = syscall.Kill(-p.child.pid, syscall.SIGKILL) // ESRCH: the leader was alone
	}
	status, err := p.child.reap()
	p.alive, p.dead = false, true
	killed := p.killed
	p.mu.Unlock()
	if !taken {
		settle(p.child.pid)
	}

	exit := Exit{Code: -1, Tail: Tail(p.output, p.before)}
	switch {
	case err != nil: // another process reaped it, such as a foreign one's parent: nothing is known
	case status.Signaled():
		exit.Signal = status.Signal()
		exit.OOM = exit.Signal == syscall.SIGKILL && !killed && p.ooms.explains(p.oomsAt)
	default:
		exit.Code = status.ExitStatus()
	}
	p.mu.Lock()
	died := p.died
	p.mu.Unlock()
	if died != nil && err == nil && exit.Code != 0 {
		died(exit)
	}
	left, doubt := end(p.others, p.mark) // looks at every other process of the machine
	if exit.Left = left; doubt != nil {
		exit.Doubt = doubt.Error()
	}
	p.mu.Lock()
	p.exit = &exit
	exited := p.exited
	p.mu.Unlock()
	unregister(p)
	close(p.over)
	if exited != nil {
		exited(exit)
	}
}

// Limits of settle. A process that was sent SIGKILL executes no further instruction; only the
// kernel's cleanup takes time.
const (
	settleMax  = 50 * time.Millisecond
	settleStep = time.Millisecond
)

// settle waits, for settleMax at most, until the swept group is gone, so that the next run finds
// its ports and sockets free: the bot is often a child of "npm" or "sh". Where orphans become our
// children (pid 1 of a container, a subreaper) it reaps those of this group.
func settle(group int) {
	deadline := time.Now().Add(settleMax)
	for syscall.Kill(-group, 0) == nil && time.Now().Before(deadline) {
		if reaped, err := syscall.Wait4(-group, nil, syscall.WNOHANG, nil); err == nil && reaped > 0 {
			continue
		}
		// only their parent is notified of members that are not our children
		<-time.After(settleStep)
	}
}

// PID returns the leader's pid, which is its group's as well.
func (p *process) PID() int { return p.child.pid }

// Mark implements Process.
func (p *process) Mark() Mark { return Mark{PID: p.child.pid, Started: p.child.started, Boot: boot()} }

// Died implements Process.
func (p *process) Died(died func(Exit)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.dead {
		p.died = died
	}
}

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

// cancel implements Start's cancel.
func (p *process) cancel() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancelled = true
	if p.exited == nil && !p.found {
		p.kill(syscall.SIGKILL)
	}
}

// kill signals the group, or a leader that left it; p.mu is held. Errors can be ignored: until the
// leader is reaped the group exists, and a member that changed its user is not ours.
func (p *process) kill(sig syscall.Signal) {
	if !p.alive || p.child.pidReused() {
		return
	}
	p.killed = p.killed || sig == syscall.SIGKILL
	target := -p.child.pid
	if group, err := syscall.Getpgid(p.child.pid); err == nil && group != p.child.pid {
		target = p.child.pid
	}
	_ = syscall.Kill(target, sig)
}
