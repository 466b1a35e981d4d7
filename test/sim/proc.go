package sim

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/proc"
)

// Proc is one simulated process. It implements proc.Process for its owner; its Program uses the
// rest.
type Proc struct {
	Host *Host
	Spec proc.Spec
	// OnSignal handles a signal that the program can catch (not SIGKILL, SIGSTOP, SIGCONT).
	OnSignal func(syscall.Signal)
	// OnEnd runs after any end of the process.
	OnEnd func()
	// Reaped, if set, gets the end of a process that another one forked, as the parent's wait does.
	Reaped func(proc.Exit)

	pid     int
	began   time.Time
	boot    *boot // of its parent
	died    func(proc.Exit)
	exited  func(proc.Exit)
	gone    bool
	stopped bool
	wiped   bool
	parent  *Proc    // that forked it; nil: CONTROL started it
	later   []func() // work that waits for SIGCONT
	printed []string
	ends    []*end
	sockets []*Socket
	stops   []func()
}

// PID returns the process id.
func (p *Proc) PID() int { return p.pid }

// Mark implements proc.Process. Pids are never reused here.
func (p *Proc) Mark() proc.Mark { return proc.Mark{PID: p.pid, Started: uint64(p.pid), Boot: "sim"} }

// Wipe overwrites the environment that others see, as a process does that sets its title.
func (p *Proc) Wipe() { p.wiped = true }

// holds reports whether others see one of the entries in the environment.
func (p *Proc) holds(entries ...string) bool {
	return !p.wiped && slices.ContainsFunc(entries, func(e string) bool { return e != "" && slices.Contains(p.Spec.Env, e) })
}

// Forked reports whether another process here started it.
func (p *Proc) Forked() bool { return p.parent != nil }

// Parent returns the process that started it; nil: CONTROL did.
func (p *Proc) Parent() *Proc { return p.parent }

// Fork starts a process with the same environment in a session of its own, without a supervisor.
func (p *Proc) Fork(program Program) *Proc { return p.ForkAs(p.Spec.Env, p.Spec.Mark, program) }

// ForkAs is Fork with another environment and mark.
func (p *Proc) ForkAs(env []string, mark string, program Program) *Proc {
	h := p.Host
	h.pid++
	child := &Proc{Host: h, Spec: p.Spec, pid: h.pid, began: time.Now(), boot: p.boot, parent: p, OnSignal: func(syscall.Signal) {}}
	child.Spec.Output, child.Spec.Env, child.Spec.Mark = "", env, mark
	h.procs[child.pid] = child
	h.loop.After(h.net.delay(h.Name, h.Name), func() { child.Do(func() { program(child) }) })
	return child
}

// Wall returns the machine's wall clock.
func (p *Proc) Wall() time.Time { return p.Host.wall() }

// Uptime returns how long the machine has been up.
func (h *Host) Uptime() time.Duration { return time.Hour + h.loop.Now() }

// Up returns how long the process has existed.
func (p *Proc) Up() time.Duration { return time.Since(p.began) }

// Runs reports whether the process lives and is not stopped.
func (p *Proc) Runs() bool { return !p.gone && !p.stopped }

// Post makes fn a step of the loop, as the process: dropped after its end, delayed while it is
// stopped. It may be called from any goroutine.
func (p *Proc) Post(fn func()) { p.Host.loop.post(p, func() { p.Do(fn) }) }

// Env returns a variable of the process's environment.
func (p *Proc) Env(name string) string {
	for _, kv := range p.Spec.Env {
		if value, ok := strings.CutPrefix(kv, name+"="); ok {
			return value
		}
	}
	return ""
}

// Died implements proc.Process.
func (p *Proc) Died(died func(proc.Exit)) { p.died = died }

// Wait implements proc.Process.
func (p *Proc) Wait(exited func(proc.Exit)) { p.exited = exited }

// Signal implements proc.Process.
func (p *Proc) Signal(sig syscall.Signal) {
	p.Host.loop.After(0, func() {
		switch {
		case p.gone:
		case sig == syscall.SIGKILL:
			p.end(proc.Exit{Code: -1, Signal: sig})
		case sig == syscall.SIGSTOP:
			p.stopped = true
			p.pause(true)
		case sig == syscall.SIGCONT:
			p.stopped = false
			p.pause(p.Host.starved)
			p.wake()
		default:
			p.Do(func() { p.OnSignal(sig) })
		}
	})
}

// Do runs fn as the process: dropped after its end, delayed until SIGCONT while it is stopped.
func (p *Proc) Do(fn func()) {
	switch {
	case p.gone:
	case p.stopped, p.Host.starved:
		p.later = append(p.later, fn)
	default:
		fn()
	}
}

// wake does the work that waited for SIGCONT.
func (p *Proc) wake() {
	later := p.later
	p.later = nil
	for _, fn := range later {
		p.Do(fn)
	}
}

// After runs fn as the process after d.
func (p *Proc) After(d time.Duration, fn func()) (cancel func()) {
	return p.Host.loop.After(d, func() { p.Do(fn) })
}

// Exit ends the process by itself, with tail as the end of its output.
func (p *Proc) Exit(code int, tail string) { p.end(proc.Exit{Code: code, Tail: tail}) }

// Indiscreet returns output that holds the token in the forms in which programs print it.
func (p *Proc) Indiscreet() string {
	token := p.Env("DISCORD_TOKEN")
	if token == "" {
		return ""
	}
	half := len(token) / 2
	return fmt.Sprintf(" (token %s, or\n%s\n%s, or %s)", token, token[:half], token[half:], strings.ReplaceAll(token, ".", `\u002e`))
}

// Print writes a line to the process's output.
func (p *Proc) Print(line string) { p.printed = append(p.printed, line) }

// Serve answers HTTP at a URL with a status while the process lives. Status 0 is no answer; a
// stopped process does not answer.
func (p *Proc) Serve(url string, status func() int) {
	p.Host.sites[url] = func() int {
		if p.stopped {
			return 0
		}
		return status()
	}
	p.stops = append(p.stops, func() { delete(p.Host.sites, url) })
}

// ask sends one request to a process of this host.
func (h *Host) ask(r world.Request, site func() int, done func(world.Response, error)) (cancel func()) {
	status, wait := site(), h.net.delay(h.Name, h.Name)
	if status == 0 {
		return h.loop.After(r.Timeout, func() { done(world.Response{}, fmt.Errorf("GET %s: no answer within %v", r.URL, r.Timeout)) })
	}
	return h.loop.After(wait, func() { done(world.Response{Status: status}, nil) })
}

// grep polls the output file of a process, ten times a second.
func (h *Host) grep(file string, line *regexp.Regexp, done func()) (cancel func()) {
	over := false
	var look func()
	look = func() {
		for _, p := range h.Processes() {
			if p.Spec.Output == file && slices.ContainsFunc(p.printed, line.MatchString) && !over {
				done()
				return
			}
		}
		if !over {
			h.loop.After(100*time.Millisecond, look)
		}
	}
	h.loop.After(0, look)
	return func() { over = true }
}

// Listen opens the process's unix socket until stop.
func (p *Proc) Listen(path string, accept func(transport.Link)) (stop func(), err error) {
	stop, err = p.Host.net.Listen(p.Host.Name, p.Host.Name+":"+path, func(l transport.Link, _ transport.Greeting) {
		p.ends = append(p.ends, l.(*end))
		p.Do(func() { accept(l) })
	})
	if err == nil {
		p.stops = append(p.stops, stop)
	}
	return stop, err
}

func (p *Proc) end(e proc.Exit) {
	if p.gone {
		return
	}
	p.gone = true
	e.Tail += p.Indiscreet()
	delete(p.Host.procs, p.pid)
	for _, stop := range p.stops {
		stop()
	}
	for _, e := range p.ends {
		e.Close(1006, "")
	}
	for _, s := range p.sockets {
		_ = s.Close()
	}
	if p.Reaped != nil {
		p.parent.After(p.Host.net.delay(p.Host.Name, p.Host.Name), func() { p.Reaped(e) })
	}
	if p.OnEnd != nil {
		p.OnEnd()
	}
	soon := p.Host.net.delay(p.Host.Name, p.Host.Name)
	if p.died != nil && e.Code != 0 {
		p.Host.loop.After(soon, func() {
			if p.died != nil && !p.boot.dead {
				p.died(e)
			}
		})
	}
	p.Host.loop.After(soon+p.Host.SweepTakes+p.Host.net.delay(p.Host.Name, p.Host.Name), func() {
		if p.exited == nil || p.boot.dead {
			return
		}
		if p.Host.FindErr != nil {
			e.Doubt = p.Host.FindErr.Error()
		} else {
			e.Left = p.Host.sweep(p.Spec.Mark)
		}
		p.exited(e)
	})
}
