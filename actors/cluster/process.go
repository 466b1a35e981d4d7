package cluster

import (
	"fmt"
	"path/filepath"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// This file is what a Cluster does to its process: begin a life, end it, bury it, let go of it.

// own makes a started process ours: its exit is awaited from now on.
func (c *Cluster) own(ctx actor.Context, p proc.Process) {
	c.process, c.cancel = p, nil
	send, run := world.Sender(ctx), c.thisRun()
	p.Died(func(e proc.Exit) { send(runDied{run, e}) })
	p.Wait(func(e proc.Exit) { send(runExited{run, e}) })
}

// exited is the end that nobody ordered.
func (c *Cluster) exited(ctx actor.Context, e proc.Exit) {
	c.exit = &e
	c.why = &Failure{Cause: messages.CauseExited, Err: unordered(e), WaitedFor: c.waitsFor()}
	if c.leftBehind(ctx, e) {
		return
	}
	if c.link == nil {
		c.fail(ctx, c.why)
		return
	}
	c.enter(ctx, messages.ClusterKilling, c.mourning)
	c.In(ctx, lastWords)
}

// spawn begins a life.
func (c *Cluster) spawn(ctx actor.Context) {
	if c.settings.Token == "" {
		c.enter(ctx, messages.ClusterAwaiting, c.awaiting)
		return
	}
	*c.past = past{settled: true, waiting: c.successor, slow: c.past.slow}
	instance := c.mint.New(time.Now(), uint32(c.plan.ID))
	c.life = plan.Run{Manager: c.manager, Instance: instance, Socket: c.options.Sockets + string(instance), Owner: c.options.Owner}
	if c.options.asksItself() {
		c.begin(ctx)
		return
	}
	c.reserve(ctx)
}

// begin writes down the intent to start a process. Its start follows.
func (c *Cluster) begin(ctx actor.Context) {
	if c.State() != string(messages.ClusterSpawning) {
		c.Enter(string(messages.ClusterSpawning), c.spawning)
	}
	c.adopted, c.changed, c.served, c.started = false, false, false, time.Now()
	c.tell(ctx)
	c.intend(ctx)
}

// meet begins what we have to do with a process that runs: to speak to it, or only to watch it.
func (c *Cluster) meet(ctx actor.Context) {
	if c.options.Protocol == messages.ProtocolEnv {
		c.runs(ctx)
		return
	}
	c.enter(ctx, messages.ClusterGreeting, c.greeting)
	c.In(ctx, c.helloTimeout())
	c.greet(ctx)
	c.dial(ctx)
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
		Output: c.output(), Folders: c.options.Folders,
		Mark: c.runMark(),
	}
	send, run := world.Sender(ctx), c.thisRun()
	c.cancel = c.W.Start(spec, func(p proc.Process, err error) { send(runStarted{run, p, err}) })
}

// replace ends a process that an earlier life of CONTROL started otherwise than it would be now, to start another one.
func (c *Cluster) replace(ctx actor.Context) {
	c.again = true
	c.drain(ctx, messages.StopRun{})
}

// drain asks the bot to end, in the best way it knows.
func (c *Cluster) drain(ctx actor.Context, how messages.StopRun) {
	c.why = nil
	grace := c.options.StopGrace
	if how.Within > 0 {
		grace = min(grace, how.Within)
	}
	switch {
	case c.options.Protocol == messages.ProtocolEnv: // all it knows
		c.process.Signal(syscall.SIGTERM)
	case !c.askToEnd(how.Final, grace):
		c.kill(ctx, syscall.SIGTERM, nil)
		return
	}
	c.enter(ctx, messages.ClusterDraining, c.draining)
	c.In(ctx, grace)
}

// kill ends the process: sig first (0: it is about to end by itself), SIGKILL after the grace. why is told once it is dead; nil: it was ordered.
func (c *Cluster) kill(ctx actor.Context, sig syscall.Signal, why *Failure) {
	c.abandon()
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
	ctx.Send(c.addresses.Events, messages.ClusterStoppedByOrder{Cluster: c.plan.ID, Shards: c.plan.Shards.String()})
	ctx.Request(ctx.Parent(), messages.RunStopped{Cluster: c.plan.ID, Again: c.again})
}

// fail escalates the end that nobody ordered. The process is dead, or never was.
func (c *Cluster) fail(ctx actor.Context, f *Failure) {
	f.Exit = c.exit
	if c.process != nil {
		f.PID = c.process.PID()
	}
	if !c.up.IsZero() {
		f.Up = plan.ServedFor(c.assumes(), max(time.Since(c.up), 1), time.Since(c.started))
	}
	if f.CloseCode == 0 {
		f.CloseCode = c.closeCode
	}
	if messages.FatalCode(c.closeCode) { // a shard said it, whatever the process made of it
		f.Cause = messages.CauseFatal
	}
	c.why = f
	c.bury(ctx)
	c.escalate(ctx, f)
}

// escalate hands a failure to the supervisor, which restarts, stops, or resumes this actor. Resumed,
// it escalates the failure again once nothing of the process is left.
func (c *Cluster) escalate(ctx actor.Context, f *Failure) {
	if f.Sweeping = c.past.sweeping != ""; f.Sweeping {
		c.awaitSweep(ctx)
	} else {
		c.Enter(string(messages.ClusterWaiting), c.over)
	}
	ctx.(actor.Supervisor).EscalateFailure(f, ctx.Message())
}

// bury clears away what a dead process leaves: the link, the stale socket, its wishes. Its record stays for the next one's, which is written over it; one of the dead does
// no harm.
func (c *Cluster) bury(ctx actor.Context) {
	c.detach()
	c.letGo(ctx, c.shards != nil)
	c.W.Unlink(c.life.Socket)
	c.past.buried = true
	ctx.Send(c.addresses.Gate, messages.DropPermits{Cluster: c.plan.ID})
	c.passSessions(ctx)
	ctx.Send(c.addresses.Sessions, messages.SessionsOrphaned{Cluster: c.plan.ID})
}

// detach lets go of the process: it goes on without us.
func (c *Cluster) detach() {
	c.abandon()
	if c.link != nil {
		c.link.Close(0, "")
		c.link = nil
	}
	c.Leave()
}

// abandon gives up the start, the dial or the search that is under way. What it had reached is let
// go of.
func (c *Cluster) abandon() {
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
}

// enter moves to another state and tells so.
func (c *Cluster) enter(ctx actor.Context, state messages.ClusterState, receive actor.ReceiveFunc) {
	c.Enter(string(state), receive)
	c.tell(ctx)
}

// tell says how the cluster stands, to its supervisor and to whoever watches.
func (c *Cluster) tell(ctx actor.Context) {
	m := messages.ClusterMoved{Cluster: c.plan.ID, Range: c.plan.Shards, Shards: c.plan.Shards.String(), State: messages.ClusterState(c.State()), Ready: c.ready(), Out: c.out(),
		Assumed: c.assumes() && !c.up.IsZero()}
	if c.process != nil {
		m.PID = c.process.PID()
	}
	ctx.Request(ctx.Parent(), m)
}
