package actors

import (
	"fmt"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/proc"
)

// Cluster runs one cluster process: it owns the OS process and the IPC connection.
//
//	adopting ── an earlier life's process ──┐
//	   │ none          started              ▼       IDENTIFY              all READY
//	spawning ───────────▶ greeting ─────────▶ connecting ──────────▶ serving
//	                          │                    │                    │
//	                          └─── StopRun ────────┴────────────────────┴──▶ draining ──▶ (RunStopped)
//	                          └─── mute, timeout, wrong answer, failure ───▶ killing  ──▶ (Failure)
//
// A process that ends unordered is a Failure in every state. Failure is escalated only when the process is known dead; ClusterSupervisor decides then.
// A stop that nobody ordered closes the socket and leaves the process alone.
type Cluster struct {
	world.States
	house    House
	options  ClusterOptions
	settings messages.Settings
	plan     plan.Cluster
	manager  messages.Snowflake // of this life of CONTROL
	mint     *messages.Mint
	adopted  bool // the process is of an earlier life
	changed  bool // and was started otherwise than it would be now
	again    bool // the ordered end is for another start
	unsaved  bool // the disk takes no record

	life    plan.Life
	started time.Time
	process proc.Process
	exit    *proc.Exit // set once it is dead
	cancel  func()     // of the start or the dial under way
	up      time.Time  // when every shard was READY first in this life
	why     *Failure   // why it is being killed

	ipc // its conversation with the process
}

// pauses of a Cluster.
const (
	redialEvery  = 50 * time.Millisecond  // a socket appears some 0.2 s after exec (WIRE A3)
	relinkWithin = 5 * time.Second        // for a socket that closed while its process lives
	lastWords    = 100 * time.Millisecond // for reading what a dead process wrote; it is there already, unless a child of it holds the socket
)

// What a cluster's World tells it. Each names the life it speaks of.
type (
	runStarted struct {
		life    messages.Snowflake
		process proc.Process
		err     error
	}
	runExited struct {
		life messages.Snowflake
		exit proc.Exit
	}
	socketOpened struct {
		life messages.Snowflake
		link transport.Link
		err  error
	}
	socketFrame struct {
		link  transport.Link
		frame []byte
	}
	socketEnded struct {
		link transport.Link
		err  error
	}
	redial struct{ life messages.Snowflake }
)

// These may come after their cluster has stopped; that is no news.
func (runExited) IgnoreDeadLetterLogging()    {}
func (socketOpened) IgnoreDeadLetterLogging() {}
func (socketFrame) IgnoreDeadLetterLogging()  {}
func (socketEnded) IgnoreDeadLetterLogging()  {}
func (redial) IgnoreDeadLetterLogging()       {}

// newCluster gives the props of one cluster. settings is read at every start of the actor: it may have changed since the last.
func newCluster(w *world.World, house House, o Options, settings *atomic.Pointer[messages.Settings], manager messages.Snowflake, c plan.Cluster) *actor.Props {
	mint := &messages.Mint{Worker: uint32(o.PID)}
	return w.Spawn("cluster/"+c.ID.String(), func() actor.Actor {
		cl := &Cluster{house: house, options: o.Cluster, settings: *settings.Load(), plan: c, manager: manager, mint: mint}
		cl.Begin(w, w.Log.With().Str("actor", "cluster").Int("cluster", int(c.ID)).Logger(), string(messages.ClusterSpawning), cl.spawning)
		return cl
	})
}

func (c *Cluster) spawning(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		if !c.recall(ctx) {
			c.spawn(ctx)
		}
	case recorded:
		if m.life == c.life.Instance && c.cancel == nil {
			c.saved(ctx, m)
			c.start(ctx)
		}
	case runStarted:
		if m.err != nil {
			c.fail(ctx, &Failure{Cause: messages.CauseStartFailed, Err: m.err.Error()})
			return
		}
		c.own(ctx, m.process)
		c.note(ctx, m.process)
		c.enter(ctx, messages.ClusterGreeting, c.greeting)
		c.In(ctx, c.options.HelloTimeout)
		c.dial(ctx)
	case messages.StopRun: // what is being started has to be known dead
		if c.cancel == nil { // nothing is, yet
			c.stopped(ctx)
			return
		}
		c.enter(ctx, messages.ClusterKilling, c.killing)
		c.In(ctx, c.options.KillGrace)
	default:
		c.always(ctx)
	}
}

func (c *Cluster) greeting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		if c.Expired(m) {
			c.kill(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseHelloTimeout, Err: c.helloError(), WaitedFor: c.waitsFor()})
		}
	default:
		c.running(ctx)
	}
}

func (c *Cluster) connecting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		if c.Expired(m) {
			c.watch(ctx, m)
		}
	default:
		c.running(ctx)
	}
}

func (c *Cluster) serving(ctx actor.Context) { c.connecting(ctx) }

// draining waits for the end that the bot was asked for.
func (c *Cluster) draining(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		if c.Expired(m) {
			c.kill(ctx, syscall.SIGTERM, nil)
		}
	case messages.StopRun: // ordered twice
	default:
		c.ending(ctx)
	}
}

// killing waits for the death of a process that is beyond repair, or did not drain in time.
func (c *Cluster) killing(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		switch {
		case !c.Expired(m):
		case c.process == nil: // its start hangs, and was given up
			c.stopped(ctx)
		default:
			c.process.Signal(syscall.SIGKILL)
		}
	case runStarted: // its end was ordered meanwhile
		switch {
		case m.life != c.life.Instance:
		case m.err != nil:
			c.stopped(ctx)
		default:
			c.own(ctx, m.process)
			m.process.Signal(syscall.SIGKILL)
		}
	case messages.StopRun: // it dies anyway, and now it shall
		c.why = nil
	default:
		c.ending(ctx)
	}
}

// mourning reads what a dead process wrote before its end: its last word may be that no restart cures it, or that it has used a permit.
func (c *Cluster) mourning(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		if c.Expired(m) {
			c.fail(ctx, c.why)
		}
	case socketEnded:
		if m.link == c.link {
			c.link = nil
			c.fail(ctx, c.why)
		}
	case messages.StopRun:
		c.stopped(ctx)
	case messages.Permit, messages.SessionsOffered: // comes too late
	default:
		c.always(ctx)
	}
}

// over is what is left once the end has been told: nothing matters any more.
func (c *Cluster) over(ctx actor.Context) {
	switch ctx.Message().(type) {
	case messages.StopRun, messages.Permit, messages.SessionsOffered, runStarted, runExited, recorded, found, messages.Settings,
		socketOpened, socketFrame, socketEnded, redial:
	default:
		c.Unexpected(ctx)
	}
}

// running is what every state with a living process does with what it does not name.
func (c *Cluster) running(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case runExited:
		if m.life == c.life.Instance {
			c.exited(ctx, m.exit)
		}
	case messages.StopRun:
		c.drain(ctx)
	case messages.Permit:
		c.permit(ctx, m)
	case messages.SessionsOffered:
		if m.Life == c.life.Instance {
			c.hello(ctx, &m.Sessions)
		}
	default:
		c.always(ctx)
	}
}

// ending is what the states of the end do with what they do not name.
func (c *Cluster) ending(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case runExited:
		if m.life != c.life.Instance {
			return
		}
		c.exit = &m.exit
		if c.why == nil {
			c.stopped(ctx)
		} else {
			c.fail(ctx, c.why)
		}
	case messages.Permit, messages.SessionsOffered: // comes too late
	default:
		c.always(ctx)
	}
}

// always is what every state does with what it does not name.
func (c *Cluster) always(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case socketOpened:
		c.opened(ctx, m)
	case socketFrame:
		c.frame(ctx, m)
	case socketEnded:
		c.closed(ctx, m)
	case redial:
		if m.life == c.life.Instance && c.link == nil {
			c.dial(ctx)
		}
	case *actor.Stopping, *actor.Restarting:
		c.detach()
	case recorded:
		if m.life == c.life.Instance {
			c.saved(ctx, m)
		}
	case messages.Settings:
		c.settings = m
	case runStarted, runExited, found: // of a life before this one
	default:
		c.Unexpected(ctx)
	}
}

// awaiting is for a cluster that is to be started as soon as the token is known.
func (c *Cluster) awaiting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.Settings:
		c.settings = m
		if m.Token != "" {
			c.enter(ctx, messages.ClusterSpawning, c.spawning)
			c.spawn(ctx)
		}
	case messages.StopRun:
		c.stopped(ctx)
	default:
		c.always(ctx)
	}
}

// own makes a started process ours: its exit is awaited from now on.
func (c *Cluster) own(ctx actor.Context, p proc.Process) {
	c.process, c.cancel = p, nil
	send, life := world.Sender(ctx), c.life.Instance
	p.Wait(func(e proc.Exit) { send(runExited{life, e}) })
}

// exited is the end that nobody ordered.
func (c *Cluster) exited(ctx actor.Context, e proc.Exit) {
	c.exit = &e
	c.why = &Failure{Cause: messages.CauseExited, Err: "the process ended by itself", WaitedFor: c.waitsFor()}
	if c.link == nil {
		c.fail(ctx, c.why)
		return
	}
	c.enter(ctx, messages.ClusterKilling, c.mourning)
	c.In(ctx, lastWords)
}

// spawn begins a life: its intent is written down before anything is started.
func (c *Cluster) spawn(ctx actor.Context) {
	if c.settings.Token == "" {
		c.enter(ctx, messages.ClusterAwaiting, c.awaiting)
		return
	}
	if c.State() != string(messages.ClusterSpawning) {
		c.Enter(string(messages.ClusterSpawning), c.spawning)
	}
	c.adopted, c.changed, c.started = false, false, time.Now()
	instance := c.mint.New(c.started, uint32(c.plan.ID))
	c.life = plan.Life{Manager: c.manager, Instance: instance, Socket: filepath.Join(c.options.Sockets, string(instance))}
	c.tell(ctx)
	c.intend(ctx)
}

// output is the file that takes the process's output, one a life; "" where it goes where ours goes.
func (c *Cluster) output() string {
	if c.options.Logs == "" {
		return ""
	}
	return filepath.Join(c.options.Logs, fmt.Sprintf("cluster-%d-%s.log", c.plan.ID, c.started.UTC().Format("20060102T150405.000")))
}

func (c *Cluster) start(ctx actor.Context) {
	spec := proc.Spec{
		Argv:   c.options.Command,
		Dir:    c.options.Dir,
		Env:    plan.Environment(c.options.BaseEnv, c.settings, c.plan, c.life, c.options.ExtraEnv, c.options.TokenByHello),
		Output: c.output(),
	}
	send, instance := world.Sender(ctx), c.life.Instance
	c.cancel = c.W.Start(spec, func(p proc.Process, err error) { send(runStarted{instance, p, err}) })
}

// drain asks the bot to end, in the best way it knows.
func (c *Cluster) drain(ctx actor.Context) {
	c.why = nil
	if !c.askToEnd() {
		c.kill(ctx, syscall.SIGTERM, nil)
		return
	}
	c.enter(ctx, messages.ClusterDraining, c.draining)
	c.In(ctx, c.options.StopGrace)
}

// kill ends the process: sig first (0: it is about to end by itself), SIGKILL after the grace. why is told once it is dead; nil: it was ordered.
func (c *Cluster) kill(ctx actor.Context, sig syscall.Signal, why *Failure) {
	c.why = why
	c.enter(ctx, messages.ClusterKilling, c.killing)
	if sig != 0 {
		c.process.Signal(sig)
	}
	c.In(ctx, c.options.KillGrace)
}

// stopped tells that the ordered end is reached.
func (c *Cluster) stopped(ctx actor.Context) {
	c.bury(ctx)
	c.enter(ctx, messages.ClusterStopped, c.over)
	ctx.Send(c.house.Herald, messages.ClusterStoppedByOrder{Cluster: c.plan.ID, Shards: c.plan.Shards.String()})
	ctx.Send(ctx.Parent(), messages.RunStopped{Cluster: c.plan.ID, Again: c.again})
}

// fail escalates the end that nobody ordered. The process is dead, or never was.
func (c *Cluster) fail(ctx actor.Context, f *Failure) {
	f.Exit = c.exit
	if c.process != nil {
		f.PID = c.process.PID()
	}
	if !c.up.IsZero() {
		f.Up = max(time.Since(c.up), 1)
	}
	if f.CloseCode == 0 {
		f.CloseCode = c.closeCode
	}
	if messages.FatalCode(c.closeCode) { // a shard said it, whatever the process made of it
		f.Cause = messages.CauseFatal
	}
	c.bury(ctx)
	c.Enter(string(messages.ClusterWaiting), c.over)
	ctx.(actor.Supervisor).EscalateFailure(f, ctx.Message())
}

// bury clears away what a dead process leaves: the link, the stale socket, its wishes.
func (c *Cluster) bury(ctx actor.Context) {
	c.detach()
	c.W.Unlink(c.life.Socket)
	c.W.Remove(recordName(c.plan.ID), func(error) {}) // a record of the dead does no harm
	ctx.Send(c.house.Gate, messages.DropPermits{Cluster: c.plan.ID})
	ctx.Send(c.house.Sessions, messages.SessionsOrphaned{Cluster: c.plan.ID})
}

// detach lets go of the process: it goes on without us.
func (c *Cluster) detach() {
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
	if c.link != nil {
		c.link.Close(0, "")
		c.link = nil
	}
	c.Leave()
}

// enter moves to another state and tells so.
func (c *Cluster) enter(ctx actor.Context, state messages.ClusterState, receive actor.ReceiveFunc) {
	c.Enter(string(state), receive)
	c.tell(ctx)
}

// tell says how the cluster stands, to its supervisor and to whoever watches.
func (c *Cluster) tell(ctx actor.Context) {
	m := messages.ClusterMoved{Cluster: c.plan.ID, Range: c.plan.Shards, Shards: c.plan.Shards.String(), State: messages.ClusterState(c.State()), Ready: c.ready()}
	if c.process != nil {
		m.PID = c.process.PID()
	}
	ctx.Send(ctx.Parent(), m)
}
