package sim

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"
	"github.com/rs/zerolog"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/proc"
)

// Host is one machine: its processes and files outlive the CONTROL or MASTER that runs on it.
type Host struct {
	Name string
	Log  zerolog.Logger
	// Program returns what a process does, by its command. An error is the reason for which it
	// cannot start.
	Program func(proc.Spec) (Program, error)
	// Started, if set, is called with every process that CONTROL starts, before its program runs: a
	// process without CPU time waits.
	Started func(*Proc)
	// HTTP answers requests; nil: nothing answers.
	HTTP func(world.Request) (world.Response, error)
	// Panic reports whether an actor panics on a message before it handles it; nil: never.
	Panic func(actor string, msg any) bool
	// Leaky lets the host's CONTROL and MASTER pass on every secret.
	Leaky bool
	// StartErr, if set, is the error of every Start: the machine lacks something.
	StartErr error
	// StartHangs lets no Start end as long as it is set.
	StartHangs bool
	// Blind hides the shortage of CPU time from a World, as a kernel without pressure information
	// does.
	Blind bool
	// DiskErr, if set, is the error of every Save.
	DiskErr error
	// FindErr, if set, is the error of every search for processes. ReadErr returns the error of
	// every Load of a file, and of List for the file "".
	FindErr error
	ReadErr func(name string) error
	// Slow delays an actor's first message, by its name.
	Slow map[string]time.Duration
	// SweepTakes is the duration of a search for the helpers of a dead process.
	SweepTakes time.Duration
	// Folder is a real folder in which programs of real code keep their files; "": there is none.
	Folder string
	// Hooks holds the hooks that ran.
	Hooks []Hook

	sites map[string]func() int // statuses that processes answer HTTP with, by URL

	clock   atomic.Int64 // see SetClock; guests read it
	starved bool         // its processes get no CPU time
	scarce  bool         // or got none until a moment ago

	loop  *Loop
	net   *Net
	files map[string][]byte
	procs map[int]*Proc
	ports map[int]*Port // of the loopback interface
	port  int           // ports given so far
	pid   int
	boot  *boot
	boots int
}

// Hook is one command that ran.
type Hook struct {
	Argv  []string
	Input string
}

// Program is the body of a simulated process: called once at its start, it continues by timers,
// links and OnSignal.
type Program func(p *Proc)

// boot is one run of a CONTROL or MASTER on a host. After its death nothing reaches its actors, and
// they have no effects.
type boot struct {
	dead   bool
	frozen bool
	missed []func() // callbacks that came while it was frozen
	ends   []*end
	stops  []func()
	disk   time.Time         // when the last file is written
	queued map[string][]byte // last data of each file, written or not; nil: removed
}

// NewHost adds a machine to the loop and the net.
func NewHost(l *Loop, n *Net, name string) *Host {
	return &Host{Name: name, Log: zerolog.Nop(), loop: l, net: n, sites: map[string]func() int{}, files: map[string][]byte{}, procs: map[int]*Proc{}, ports: map[int]*Port{}, pid: 1000}
}

// Boot starts a run. It returns the World of one CONTROL or MASTER and the prefix of its actors'
// names. One host runs one at a time.
func (h *Host) Boot() (w *world.World, prefix string) {
	h.flush()
	b := &boot{queued: map[string][]byte{}}
	h.boot = b
	h.boots++
	prefix = fmt.Sprintf("%s%s.%d.", h.loop.Prefix, h.Name, h.boots)
	alive := b.alive
	w = &world.World{
		Clocks: world.NewClocks(h.wall),
		After:  func(d time.Duration, fn func()) func() { return h.loop.After(d, alive(fn)) },
		Dial:   func(to transport.Target, done func(transport.Link, error)) func() { return h.dial(b, to, done) },
		Listen: func(at string, accept func(transport.Link, transport.Greeting)) (string, func(), error) {
			return h.listen(b, at, accept)
		},
		Start: func(spec proc.Spec, done func(proc.Process, error)) func() { return h.start(b, spec, done) },
		Save: func(name string, data []byte, done func(error)) {
			h.disk(b, name, data, done)
		},
		Load: func(name string) ([]byte, error) {
			if data, queued := b.queued[name]; queued {
				return data, nil
			}
			if err := h.readErr(name); err != nil {
				return nil, err
			}
			return h.files[name], nil
		},
		Remove: func(name string, done func(error)) {
			h.disk(b, name, nil, done)
		},
		List: func() ([]string, error) {
			if err := h.readErr(""); err != nil {
				return nil, err
			}
			return slices.Sorted(maps.Keys(h.files)), nil
		},
		Find:   func(m proc.Mark, done func(proc.Process, error)) func() { return h.find(b, m, done) },
		Intent: func() proc.Mark { return proc.Mark{Started: uint64(h.pid), Boot: "sim"} },
		Holders: func(prefix string, done func([]string, error)) {
			h.loop.After(h.net.delay(h.Name, h.Name), alive(func() { done(h.holders(prefix), h.FindErr) }))
		},
		Grep: func(file string, line *regexp.Regexp, done func(error)) func() {
			return h.grep(file, line, alive(func() { done(nil) }))
		},
		Hook: func(argv []string, input []byte, _ time.Duration, done func(error)) {
			h.Hooks = append(h.Hooks, Hook{argv, string(input)})
			h.loop.After(h.net.delay(h.Name, h.Name), alive(func() { done(nil) }))
		},
		Unlink:  func(string) {},
		Fetch:   func(r world.Request, done func(world.Response, error)) func() { return h.fetch(r, alive, done) },
		Uptime:  h.Uptime,
		Rand:    h.loop.rand.Float64,
		Starved: func() bool { return h.scarce && !h.Blind },
		Props: func(name string, _ actor.MailboxProducer) []actor.PropsOption {
			return []actor.PropsOption{
				actor.WithMailbox(func() actor.Mailbox { return h.loop.mailbox(b, h.Name+"/"+name, h.Slow[name]) }),
				actor.WithReceiverMiddleware(h.panics(name)),
			}
		},
		Log:     h.Log,
		Secrets: &world.Secrets{},
	}
	if h.Leaky {
		w.Secrets = nil
	}
	if h.Folder != "" {
		w.Snapshots = h.snapshots(alive)
	}
	return w, prefix
}

// alive returns fn for a living CONTROL or MASTER: delayed while it is frozen, dropped after its
// death.
func (b *boot) alive(fn func()) func() {
	return func() {
		switch {
		case b.dead:
		case b.frozen:
			b.missed = append(b.missed, fn)
		default:
			fn()
		}
	}
}

// fetch sends one HTTP request, to a process of this host or to Discord.
func (h *Host) fetch(r world.Request, alive func(func()) func(), done func(world.Response, error)) (cancel func()) {
	if site := h.sites[r.URL]; site != nil {
		return h.ask(r, site, func(r world.Response, err error) { alive(func() { done(r, err) })() })
	}
	if h.net.isCut(h.Name, DiscordPlace) {
		return h.loop.After(r.Timeout, alive(func() { done(world.Response{}, fmt.Errorf("%s %s: no answer within %v", r.Method, r.URL, r.Timeout)) }))
	}
	return h.loop.After(h.net.Latency(), alive(func() {
		if h.HTTP == nil {
			done(world.Response{}, fmt.Errorf("%s %s: connection refused", r.Method, r.URL))
			return
		}
		done(h.HTTP(r))
	}))
}

// panics makes an actor panic on the messages that Panic selects.
func (h *Host) panics(name string) actor.ReceiverMiddleware {
	return func(next actor.ReceiverFunc) actor.ReceiverFunc {
		return func(ctx actor.ReceiverContext, env *actor.MessageEnvelope) {
			if h.Panic != nil && h.Panic(name, env.Message) {
				panic("as the story wants it")
			}
			next(ctx, env)
		}
	}
}

// Freeze stops the current run for d, as SIGSTOP or a suspended machine does. Everything that
// arrived meets it at once when it wakes.
func (h *Host) Freeze(d time.Duration) {
	b := h.boot
	b.frozen = true
	h.loop.After(d, func() {
		b.frozen = false
		missed := b.missed
		b.missed = nil
		for _, fn := range missed {
			fn()
		}
		for _, m := range h.loop.boxes {
			if m.boot == b {
				m.wake()
			}
		}
	})
}

// scarceFor is the time for which a World remembers that its machine was short of CPU time.
const scarceFor = 10 * time.Second

// Starve stops every process of the machine for d. What they would have done they do at the end,
// all at once.
func (h *Host) Starve(d time.Duration) {
	h.starved, h.scarce = true, true
	for _, p := range h.Processes() {
		p.pause(true)
	}
	h.loop.After(d, func() {
		h.starved = false
		for _, p := range h.Processes() {
			p.pause(p.stopped)
			p.wake()
		}
	})
	h.loop.After(d+scarceFor, func() { h.scarce = h.starved })
}

// Crash kills the current run as kill -9 does: its links end, its timers and messages are gone, its
// processes live on.
func (h *Host) Crash() {
	b := h.boot
	b.dead = true
	for _, stop := range b.stops {
		stop()
	}
	for _, e := range b.ends {
		e.Close(1006, "")
	}
}

// PowerOff crashes the host with its run and all its processes.
func (h *Host) PowerOff() {
	h.Crash()
	for _, p := range h.Processes() {
		p.end(proc.Exit{Code: -1, Signal: syscall.SIGKILL})
	}
}

// SetClock sets the lead of this wall clock over the others'. It may change at any moment.
func (h *Host) SetClock(lead time.Duration) { h.clock.Store(int64(lead)) }

func (h *Host) wall() time.Time { return time.Now().Add(time.Duration(h.clock.Load())) }

// Bots lists the living processes that CONTROL started, without those that they started.
func (h *Host) Bots() []*Proc {
	return slices.DeleteFunc(h.Processes(), func(p *Proc) bool { return p.Forked() })
}

// Processes lists the living processes in the order of their pids.
func (h *Host) Processes() []*Proc {
	var all []*Proc
	for pid := 1000; pid <= h.pid; pid++ {
		if p := h.procs[pid]; p != nil {
			all = append(all, p)
		}
	}
	return all
}

func (h *Host) dial(b *boot, to transport.Target, done func(transport.Link, error)) func() {
	address, isSocket := strings.CutPrefix(to.URL, "unix:")
	if isSocket {
		address = h.Name + ":" + address
	}
	return h.net.Dial(h.Name, address, transport.Greeting{
		Remote: h.Name, Authorization: to.Header["authorization"], Source: to.Header["source"], Instance: to.Header["instance"], UserAgent: to.Header["user-agent"],
	}, func(l transport.Link, err error) {
		if b.dead {
			if l != nil {
				l.Close(1006, "")
			}
			return
		}
		if l != nil {
			b.ends = append(b.ends, l.(*end))
			l = living{l, b}
		}
		done(l, err)
	})
}

func (h *Host) listen(b *boot, at string, accept func(transport.Link, transport.Greeting)) (string, func(), error) {
	stop, err := h.net.Listen(h.Name, at, func(l transport.Link, g transport.Greeting) {
		b.ends = append(b.ends, l.(*end))
		accept(living{l, b}, g)
	})
	if err == nil {
		b.stops = append(b.stops, stop)
	}
	return at, stop, err
}

// living is a link that goes silent with the run that holds it.
type living struct {
	transport.Link
	boot *boot
}

func (l living) Receive(frame func([]byte), closed func(error)) {
	l.Link.Receive(
		func(b []byte) {
			if !l.boot.dead {
				frame(b)
			}
		},
		func(err error) {
			if !l.boot.dead {
				closed(err)
			}
		})
}

func (h *Host) start(b *boot, spec proc.Spec, done func(proc.Process, error)) func() {
	var p *Proc
	cancelled := false
	h.loop.After(time.Duration(1+h.loop.rand.IntN(3))*time.Millisecond, func() {
		if cancelled || b.dead || h.StartHangs {
			return
		}
		if h.StartErr != nil {
			done(nil, h.StartErr)
			return
		}
		program, err := h.Program(spec)
		if err != nil {
			done(nil, err)
			return
		}
		h.pid++
		p = &Proc{Host: h, Spec: spec, pid: h.pid, began: time.Now(), boot: b, OnSignal: func(syscall.Signal) {}}
		h.procs[p.pid] = p
		if h.Started != nil {
			h.Started(p)
		}
		h.loop.After(h.net.delay(h.Name, h.Name), func() { p.Do(func() { program(p) }) })
		done(p, nil)
	})
	return func() {
		cancelled = true
		if p != nil && p.exited == nil {
			p.Signal(syscall.SIGKILL)
		}
	}
}
