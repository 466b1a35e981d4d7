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

// This file starts and ends a Cluster's process, cleans up after it, and detaches from it.

// own takes a started process and waits for its exit.
func (c *Cluster) own(ctx actor.Context, p proc.Process) {
	c.process, c.cancel = p, nil
	send, run := world.Sender(ctx), c.thisRun()
	p.Died(func(e proc.Exit) { send(runDied{run, e}) })
	p.Wait(func(e proc.Exit) { send(runExited{run, e}) })
}

// exited handles an unordered end.
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
	c.enter(ctx, messages.ClusterKilling, c.afterExit)
	c.In(ctx, lastWords)
}

// spawn begins a run.
func (c *Cluster) spawn(ctx actor.Context) {
	if c.settings.Token == "" {
		c.enter(ctx, messages.ClusterAwaiting, c.awaiting)
		return
	}
	*c.handover = handover{settled: true, waiting: c.successor, slow: c.handover.slow}
	instance := c.mint.New(time.Now(), uint32(c.plan.ID))
	c.run = plan.Run{Manager: c.manager, Instance: instance, Socket: c.options.Sockets + string(instance), Owner: c.options.Owner}
	if c.options.asksItself() {
		c.begin(ctx)
		return
	}
	c.reserve(ctx)
}

// begin saves the intent to start a process. The start follows.
func (c *Cluster) begin(ctx actor.Context) {
	if c.State() != string(messages.ClusterSpawning) {
		c.Enter(string(messages.ClusterSpawning), c.spawning)
	}
	c.adopted, c.changed, c.served, c.started = false, false, false, time.Now()
	c.child, c.early, c.leftSilent = child{}, false, false
	c.report(ctx)
	c.intend(ctx)
}

// meet begins the IPC with a running process, or only watches one that does not speak it.
func (c *Cluster) meet(ctx actor.Context) {
	if c.options.Protocol == messages.ProtocolEnv {
		c.beginWithoutIPC(ctx)
		return
	}
	c.enter(ctx, messages.ClusterGreeting, c.greeting)
	c.In(ctx, c.helloTimeout())
	c.greet(ctx)
	c.dial(ctx)
}

// output returns the file of the process's output, one a run, or "" for CONTROL's own output.
func (c *Cluster) output() string {
	if c.options.Logs == "" {
		return ""
	}
	return filepath.Join(c.options.Logs, fmt.Sprintf("cluster-%d-%s.log", c.plan.ID, c.started.UTC().Format("20060102T150405.000")))
}

func (c *Cluster) start(ctx actor.Context) {
	spec := proc.Spec{
		Argv:   c.options.Command,
		Runner: c.options.Runner,
		Dir:    c.options.Dir,
		Env:    plan.Environment(c.options.BaseEnv, c.settings, c.plan, c.run, c.options.ExtraEnv, c.options.TokenByHello),
		Output: c.output(), Spare: proc.SpareOutput(c.options.Logs), Folders: c.options.Folders,
		Mark: c.runMark(),
	}
	send, run := world.Sender(ctx), c.thisRun()
	c.cancel = c.W.Start(spec, func(p proc.Process, err error) { send(runStarted{run, p, err}) })
}

// replace ends a process that an earlier run of CONTROL started with other options, and starts a
// new one.
func (c *Cluster) replace(ctx actor.Context) {
	c.again = true
	c.drain(ctx, messages.StopRun{})
}

// drain asks the bot to end, in the best way that it supports.
func (c *Cluster) drain(ctx actor.Context, how messages.StopRun) {
	c.why = nil
	grace := c.options.StopGrace
	if how.Within > 0 {
		grace = min(grace, how.Within)
	}
	switch {
	case c.options.Protocol == messages.ProtocolEnv: // the only way it supports
		c.process.Signal(syscall.SIGTERM)
	case !c.askToEnd(how.Final, grace):
		c.kill(ctx, syscall.SIGTERM, nil)
		return
	}
	c.enter(ctx, messages.ClusterDraining, c.draining)
	c.In(ctx, grace)
}

// kill ends the process with sig (0: it is about to end by itself), then SIGKILL after the grace.
// why is escalated once it is dead; nil: the end was ordered.
func (c *Cluster) kill(ctx actor.Context, sig syscall.Signal, why *Failure) {
	c.abandon()
	c.why = why
	c.enter(ctx, messages.ClusterKilling, c.killing)
	if sig != 0 {
		c.process.Signal(sig)
	}
	c.In(ctx, c.options.KillGrace)
}

// stopped reports the ordered end.
func (c *Cluster) stopped(ctx actor.Context) {
	if c.leavesOrphan() {
		c.endOrphan(ctx, c.stopped)
		return
	}
	c.cleanUp(ctx)
	c.enter(ctx, messages.ClusterStopped, c.terminal)
	ctx.Send(c.addresses.Events, messages.ClusterStoppedByOrder{Cluster: c.plan.ID, Shards: c.plan.Shards.String()})
	ctx.Request(ctx.Parent(), messages.RunStopped{Cluster: c.plan.ID, Again: c.again})
}

// fail escalates an unordered end. The process is dead, or was not started.
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
	if messages.FatalCode(c.closeCode) { // a shard reported it, whatever the process did
		f.Cause = messages.CauseFatal
	}
	c.why = f
	c.cleanUp(ctx)
	c.escalate(ctx, f)
}

// escalate reports a failure to the Supervisor, which restarts, stops or resumes this actor. A
// resumed actor escalates the failure again once no process is left.
func (c *Cluster) escalate(ctx actor.Context, f *Failure) {
	sweeping, leaves := c.handover.sweeping != "", c.leavesOrphan()
	switch f.Left = sweeping || leaves; {
	case sweeping:
		c.awaitSweep(ctx)
	case leaves:
		c.awaitNext(ctx)
	default:
		c.Enter(string(messages.ClusterWaiting), c.terminal)
	}
	ctx.(actor.Supervisor).EscalateFailure(f, ctx.Message())
}

// cleanUp removes what a dead process leaves: the link, the stale socket, its permit requests. Its
// record stays until the next one replaces it; the record of a dead process is harmless.
func (c *Cluster) cleanUp(ctx actor.Context) {
	c.detach()
	c.releaseHolds(ctx, c.shards != nil)
	c.W.Unlink(c.run.Socket)
	c.handover.dead = true
	ctx.Send(c.addresses.Gate, messages.DropPermits{Cluster: c.plan.ID})
	c.passSessions(ctx)
	ctx.Send(c.addresses.Sessions, messages.SessionsOrphaned{Cluster: c.plan.ID})
}

// detach releases the process, which keeps running.
func (c *Cluster) detach() {
	c.abandon()
	if c.link != nil {
		c.link.Close(0, "")
		c.link = nil
	}
	c.Leave()
}

// abandon cancels the start, the dial or the search under way, and releases what it reached.
func (c *Cluster) abandon() {
	if c.cancel != nil {
		c.cancel()
		c.cancel = nil
	}
}

// enter moves to another state and reports it.
func (c *Cluster) enter(ctx actor.Context, state messages.ClusterState, receive actor.ReceiveFunc) {
	c.Enter(string(state), receive)
	c.report(ctx)
}

// report sends the state of the cluster to the Supervisor.
func (c *Cluster) report(ctx actor.Context) {
	m := messages.ClusterMoved{Cluster: c.plan.ID, Range: c.plan.Shards, Shards: c.plan.Shards.String(), State: messages.ClusterState(c.State()), Ready: c.ready(), Out: c.out(),
		Assumed: c.assumes() && !c.up.IsZero(), Waits: c.ruleWaits(), Restarts: c.deaths}
	switch r := c.search.record; {
	case c.process != nil:
		m.PID = c.process.PID()
	case m.State == messages.ClusterUnknown && r != nil:
		m.PID = r.Mark.PID // it may live
	}
	ctx.Request(ctx.Parent(), m)
}
