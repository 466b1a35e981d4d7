package cluster

import (
	"fmt"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/router"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// Cluster runs one cluster process: it owns the OS process and the IPC connection.
//
//	adopting ── an earlier run's process ───┐        unknown: the search failed and is repeated
//	   │ none          started              ▼       IDENTIFY              all READY
//	spawning ───────────▶ greeting ─────────▶ connecting ──────────▶ serving
//	   ▲                      │                    │                    │
//	reserving                 │                    │                    │        where the bot cannot ask for permits
//	                          └─── StopRun ────────┴────────────────────┴──▶ draining ──▶ (RunStopped)
//	                          └─── mute, timeout, wrong answer, failure ───▶ killing  ──▶ (Failure)
//
// An unordered end of the process is a Failure in every state. It is escalated once the process is
// known dead; the Supervisor decides then. An unordered stop of the actor closes the socket and
// leaves the process running. Not drawn: awaiting, until the token is known; booted, a successor
// that waits for the end of the old process; the waits after a death.
type Cluster struct {
	world.States
	addresses world.Addresses
	options   Options
	settings  messages.Settings
	spoken    *atomic.Bool // a process of this machine has opened its socket
	plan      plan.Cluster
	manager   messages.Snowflake // of this run of CONTROL
	mint      *messages.Mint
	handover  *handover
	restarted bool // the actor was restarted: its process died, or CONTROL's code failed
	successor bool // in a rolling restart: it waits for the end of the old process
	adopted   bool // the process is of an earlier run of CONTROL
	changed   bool // and was started with other options than now
	again     bool // the ordered end precedes another start
	served    bool // every shard was READY once in this run of the process

	run       plan.Run
	started   time.Time
	process   proc.Process
	exit      *proc.Exit // set once the process is dead
	cancel    func()     // of the start or the dial under way
	up        time.Time  // when every shard was READY first in this run of CONTROL
	why       *Failure   // why it is being killed
	sigkilled bool       // SIGKILL was sent at the end of its grace

	search search // for an earlier process
	lateness
	reservation // of buckets, where the bot cannot ask for permits
	ipc         // the IPC with the process
	child       // the bot of a process that runs it itself
	orphan      // that bot, once the process is dead
	limits      // of what all clusters use
}

// Pauses of a Cluster.
const (
	redialEvery  = 50 * time.Millisecond  // a socket appears some 0.2 s after exec (PROTOCOL A3)
	relinkWithin = 5 * time.Second        // for a socket that closed while its process runs
	lastWords    = 100 * time.Millisecond // to read what a dead process wrote, which is there already unless a child holds the socket
)

// newCluster returns the props of one cluster. settings is read at every start of the actor,
// because it may have changed; spoken is shared by all clusters.
func newCluster(w *world.World, addresses world.Addresses, o Options, pid int, settings *atomic.Pointer[messages.Settings], spoken *atomic.Bool, manager messages.Snowflake, c plan.Cluster, successor bool) *actor.Props {
	mint, restarted, before := &messages.Mint{Worker: uint32(pid)}, false, &handover{settled: successor}
	return w.Spawn("cluster/"+c.ID.String(), func() actor.Actor {
		cl := &Cluster{addresses: addresses, options: o, settings: *settings.Load(), spoken: spoken, plan: c, manager: manager, mint: mint, successor: successor, restarted: restarted, handover: before, limits: newLimits(c.Shards.Len())}
		successor, restarted = false, true // a restarted actor is no successor
		cl.Begin(w, w.Log.With().Str("actor", "cluster").Int("cluster", int(c.ID)).Logger(), string(messages.ClusterSpawning), cl.spawning)
		return cl
	})
}

func (c *Cluster) spawning(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		switch {
		case c.handover.dead && c.handover.sweeping != "":
			c.awaitSweep(ctx)
		case c.successor || c.handover.dead:
			c.spawn(ctx)
		default:
			c.searchPrevious(ctx)
		}
	case recorded:
		c.saved(ctx, m)
		c.start(ctx)
	case runStarted:
		if m.err != nil {
			c.fail(ctx, unstarted(m.err))
			return
		}
		c.own(ctx, m.process)
		c.note(ctx, m.process)
		c.meet(ctx)
	case messages.StopRun: // a process under way must be known dead
		if c.cancel == nil { // none is under way
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
		switch {
		case time.Since(m.Due) > router.DeepSleep: // this machine was suspended, not the bot
			ctx.Send(c.addresses.Events, messages.ControlStalled{Actor: "cluster " + c.plan.ID.String(), LateMS: messages.Millis(time.Since(m.Due))})
			c.In(ctx, c.helloTimeout())
		case c.neverOpened() && !c.W.Starved():
			c.leaveSilent(ctx)
		case c.adopted && c.link != nil: // it ran before but does not answer HELLO now
			c.killLate(ctx, syscall.SIGKILL, &Failure{Cause: messages.CauseMute, Err: fmt.Sprintf("adopted, but HELLO was not answered within %v", c.muteAfter()), WaitedFor: c.waitsFor()})
		default:
			c.killLate(ctx, syscall.SIGTERM, &Failure{Cause: messages.CauseHelloTimeout, Err: c.helloError(), WaitedFor: c.waitsFor()})
		}
	case greetAgain:
		c.greet(ctx)
	default:
		c.running(ctx)
	}
}

func (c *Cluster) connecting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		c.watch(ctx, m)
	default:
		c.running(ctx)
	}
}

func (c *Cluster) serving(ctx actor.Context) { c.connecting(ctx) }

// draining waits for the end of a bot that was asked to end.
func (c *Cluster) draining(ctx actor.Context) {
	switch ctx.Message().(type) {
	case world.Timeout:
		c.kill(ctx, syscall.SIGTERM, nil)
	case world.Recovered: // the panic may have lost the timeout
		c.In(ctx, c.options.KillGrace)
	case messages.StopRun: // ordered twice
	default:
		c.ending(ctx)
	}
}

// killing waits for the death of a process that failed or did not drain in time.
func (c *Cluster) killing(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		switch {
		case c.process == nil: // its start hangs and was abandoned
			c.stopped(ctx)
		case c.sigkilled: // a panic may have lost the message of its end
			c.searchKilled(ctx)
			c.In(ctx, c.options.KillGrace)
		default:
			c.sigkilled = true
			c.process.Signal(syscall.SIGKILL)
			c.In(ctx, c.options.KillGrace)
		}
	case world.Recovered:
		c.In(ctx, c.options.KillGrace)
	case found:
		c.searchedKilled(ctx, m)
	case runStarted: // its end was ordered during the start
		if m.err != nil {
			c.stopped(ctx)
			return
		}
		c.own(ctx, m.process)
		m.process.Signal(syscall.SIGKILL)
	case messages.StopRun: // it is dying already, now by an order
		c.why = nil
	default:
		c.ending(ctx)
	}
}

// afterExit reads what a dead process wrote before its end: a fatal close code, or a used permit.
func (c *Cluster) afterExit(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case world.Timeout:
		c.fail(ctx, c.why)
	case world.Recovered:
		c.In(ctx, lastWords)
	case socketEnded:
		if m.link == c.link {
			c.link = nil
			c.fail(ctx, c.why)
		}
	case runExited:
		c.logLeft(m.exit.Left)
		c.handover.sweeping = ""
		c.leftBehind(ctx, m.exit)
	case messages.StopRun:
		if c.handover.sweeping == "" {
			c.stopped(ctx)
			return
		}
		c.awaitSweep(ctx)
		c.search.leaving = true
	case messages.Permit, messages.SessionsOffered, messages.Proceed: // comes too late
	default:
		c.always(ctx)
	}
}

// terminal ignores every message: the exit has been reported.
func (c *Cluster) terminal(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Stopping: // no actor replaces this one
		c.W.Remove(c.recordName(), func(error) {})
	case messages.StopRun: // RunStopped was lost
		if c.State() == string(messages.ClusterStopped) {
			ctx.Request(ctx.Parent(), messages.RunStopped{Cluster: c.plan.ID, Again: c.again})
		}
	case messages.Permit, messages.SessionsOffered, messages.Outage, messages.Lease, messages.ReportAgain, messages.GetSnapshot, messages.Proceed, messages.KillAllowed, runStarted, runDied, runExited, recorded, noteDue, found, orphanEnded,
		messages.Settings,
		socketOpened, socketFrame, socketEnded, redial, greetAgain, holdOn, ruleAnswered, askRule, outputBegan, probeEnded, passOnDue:
	default:
		c.Unexpected(ctx)
	}
}

// running handles the messages that every state with a running process treats alike.
func (c *Cluster) running(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case runDied:
		if c.beginsSweep(m) {
			c.exited(ctx, m.exit)
		}
	case runExited:
		c.exited(ctx, m.exit)
	case messages.StopRun:
		c.drain(ctx, m)
	case messages.Permit:
		c.permit(ctx, m)
	case messages.SessionsOffered:
		c.hello(&m.Sessions)
	default:
		c.always(ctx)
	}
}

// ending handles the messages that the states of the end treat alike.
func (c *Cluster) ending(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case runDied:
		if c.why != nil && c.beginsSweep(m) { // an ordered end waits for runExited
			c.ended(ctx, m.exit)
		}
	case runExited:
		c.ended(ctx, m.exit)
	case messages.Permit, messages.SessionsOffered, messages.Proceed: // comes too late
	default:
		c.always(ctx)
	}
}

// ended handles an end that was ordered or caused by a failure.
func (c *Cluster) ended(ctx actor.Context, e proc.Exit) {
	c.exit = &e
	if c.leftBehind(ctx, e) {
		return
	}
	if c.why == nil {
		c.stopped(ctx)
		return
	}
	c.fail(ctx, c.why)
}

// always handles the messages that every state treats alike.
func (c *Cluster) always(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case socketOpened:
		c.opened(ctx, m)
	case socketFrame:
		c.frame(ctx, m)
	case socketEnded:
		c.closed(ctx, m)
	case redial:
		if !c.dying() {
			c.dial(ctx)
		}
	case *actor.Stopping, *actor.Restarting:
		c.detach()
	case recorded:
		c.saved(ctx, m)
	case noteDue:
		c.renote(ctx)
	case messages.Settings:
		c.settings = m
	case messages.Permit:
		if !c.booked(ctx, m) { // requested before a panic of this actor; the bot asks again
			ctx.Send(c.addresses.Gate, messages.PermitUsed{ID: m.ID, Sent: false})
		}
	case messages.SessionsOffered, messages.Proceed, greetAgain:
	case messages.KillAllowed:
		c.mayKill(ctx)
	case holdOn:
		c.askHolds(ctx)
	case ruleAnswered:
		c.ruled(ctx, m)
	case askRule:
		if c.State() == string(messages.ClusterConnecting) {
			c.askRule(ctx)
		}
	case passOnDue:
		if !c.dying() {
			c.passOn(ctx)
		}
	case outputBegan:
		c.outputStarted(ctx)
	case probeEnded:
		c.probed(ctx, m)
	case messages.Outage:
		c.setOutage(ctx, m.On)
	case messages.Lease:
		c.lease = m
	case messages.ReportAgain:
		c.report(ctx)
	case messages.GetSnapshot:
		c.snapshot(ctx)
	case runStarted, runDied, runExited, found, orphanEnded: // comes too late
	default:
		c.Unexpected(ctx)
	}
}

// awaiting waits for the token to start the process.
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
