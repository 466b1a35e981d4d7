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
//	adopting ── an earlier life's process ──┐        unknown: the search did not answer, and is repeated
//	   │ none          started              ▼       IDENTIFY              all READY
//	spawning ───────────▶ greeting ─────────▶ connecting ──────────▶ serving
//	   ▲                      │                    │                    │
//	reserving                 │                    │                    │        where the bot cannot ask for permits
//	                          └─── StopRun ────────┴────────────────────┴──▶ draining ──▶ (RunStopped)
//	                          └─── mute, timeout, wrong answer, failure ───▶ killing  ──▶ (Failure)
//
// A process that ends unordered is a Failure in every state. Failure is escalated only when the process is known dead; ClusterSupervisor decides then.
// A stop that nobody ordered closes the socket and leaves the process alone.
type Cluster struct {
	world.States
	addresses world.Addresses
	options   Options
	settings  messages.Settings
	plan      plan.Cluster
	manager   messages.Snowflake // of this life of CONTROL
	mint      *messages.Mint
	past      *past
	reborn    bool // this actor was there before: its process died, or our own code failed
	successor bool // in a rolling restart: it waits for the end of the one before it
	adopted   bool // the process is of an earlier life
	changed   bool // and was started otherwise than it would be now
	again     bool // the ordered end is for another start
	unsaved   bool // the disk takes no record
	served    bool // every shard was READY once, in this life of the process

	life    plan.Run
	started time.Time
	process proc.Process
	exit    *proc.Exit // set once it is dead
	cancel  func()     // of the start or the dial under way
	up      time.Time  // when every shard was READY first in this life
	why     *Failure   // why it is being killed
	shot    bool       // it was sent SIGKILL at the end of its grace

	search search // for what ran before
	patience
	reservation // of buckets, where the bot cannot ask for permits
	ipc         // its conversation with the process
	shares      // of what all clusters have in common
}

// pauses of a Cluster.
const (
	redialEvery  = 50 * time.Millisecond  // a socket appears some 0.2 s after exec (PROTOCOL A3)
	relinkWithin = 5 * time.Second        // for a socket that closed while its process lives
	lastWords    = 100 * time.Millisecond // for reading what a dead process wrote; it is there already, unless a child of it holds the socket
)

// newCluster gives the props of one cluster. settings is read at every start of the actor: it may have changed since the last.
func newCluster(w *world.World, addresses world.Addresses, o Options, pid int, settings *atomic.Pointer[messages.Settings], manager messages.Snowflake, c plan.Cluster, successor bool) *actor.Props {
	mint, reborn, before := &messages.Mint{Worker: uint32(pid)}, false, &past{settled: successor}
	return w.Spawn("cluster/"+c.ID.String(), func() actor.Actor {
		cl := &Cluster{addresses: addresses, options: o, settings: *settings.Load(), plan: c, manager: manager, mint: mint, successor: successor, reborn: reborn, past: before, shares: newShares(c.Shards.Len())}
		successor, reborn = false, true // one that starts again has taken its place
		cl.Begin(w, w.Log.With().Str("actor", "cluster").Int("cluster", int(c.ID)).Logger(), string(messages.ClusterSpawning), cl.spawning)
		return cl
	})
}

func (c *Cluster) spawning(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		switch {
		case c.past.buried && c.past.sweeping != "":
			c.awaitSweep(ctx)
		case c.successor || c.past.buried:
			c.spawn(ctx)
		default:
			c.recall(ctx)
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
		switch {
		case time.Since(m.Due) > router.DeepSleep: // we slept, not the bot
			ctx.Send(c.addresses.Events, messages.ControlStalled{Actor: "cluster " + c.plan.ID.String(), LateMS: messages.Millis(time.Since(m.Due))})
			c.In(ctx, c.helloTimeout())
		case c.adopted && c.link != nil: // it ran before, and takes no HELLO now
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

// draining waits for the end that the bot was asked for.
func (c *Cluster) draining(ctx actor.Context) {
	switch ctx.Message().(type) {
	case world.Timeout:
		c.kill(ctx, syscall.SIGTERM, nil)
	case world.Recovered: // the timeout may be lost to a panic of ours
		c.In(ctx, c.options.KillGrace)
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
		case c.process == nil: // its start hangs, and was given up
			c.stopped(ctx)
		case c.shot: // the word of its end may have been lost to a panic of ours
			c.seek(ctx)
			c.In(ctx, c.options.KillGrace)
		default:
			c.shot = true
			c.process.Signal(syscall.SIGKILL)
			c.In(ctx, c.options.KillGrace)
		}
	case world.Recovered:
		c.In(ctx, c.options.KillGrace)
	case found:
		c.lost(ctx, m)
	case runStarted: // its end was ordered meanwhile
		if m.err != nil {
			c.stopped(ctx)
			return
		}
		c.own(ctx, m.process)
		m.process.Signal(syscall.SIGKILL)
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
		c.past.sweeping = ""
		c.leftBehind(ctx, m.exit)
	case messages.StopRun:
		if c.past.sweeping == "" {
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

// over is what is left once the end has been told: nothing matters any more.
func (c *Cluster) over(ctx actor.Context) {
	switch ctx.Message().(type) {
	case *actor.Stopping: // nobody follows
		c.W.Remove(c.recordName(), func(error) {})
	case messages.StopRun: // the word of its end was lost
		if c.State() == string(messages.ClusterStopped) {
			ctx.Request(ctx.Parent(), messages.RunStopped{Cluster: c.plan.ID, Again: c.again})
		}
	case messages.Permit, messages.SessionsOffered, messages.Outage, messages.Lease, messages.ReportAgain, messages.GetSnapshot, messages.Proceed, messages.KillAllowed, runStarted, runDied, runExited, recorded, noteDue, found,
		messages.Settings,
		socketOpened, socketFrame, socketEnded, redial, greetAgain, holdOn, ruleSaid, askRule, woke, probeEnded, shareDue:
	default:
		c.Unexpected(ctx)
	}
}

// running is what every state with a living process does with what it does not name.
func (c *Cluster) running(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case runDied:
		if c.died(m) {
			c.exited(ctx, m.exit)
		}
	case runExited:
		c.exited(ctx, m.exit)
	case messages.StopRun:
		c.drain(ctx, m)
	case messages.Permit:
		c.permit(ctx, m)
	case messages.SessionsOffered:
		c.hello(ctx, &m.Sessions)
	default:
		c.always(ctx)
	}
}

// ending is what the states of the end do with what they do not name.
func (c *Cluster) ending(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case runDied:
		if c.why != nil && c.died(m) { // an ordered end waits for runExited
			c.ended(ctx, m.exit)
		}
	case runExited:
		c.ended(ctx, m.exit)
	case messages.Permit, messages.SessionsOffered, messages.Proceed: // comes too late
	default:
		c.always(ctx)
	}
}

// ended is the end that was ordered, or that was brought about because of a failure.
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
		if !c.booked(ctx, m) { // for whom this actor was before it panicked; the bot asks again
			ctx.Send(c.addresses.Gate, messages.PermitUsed{ID: m.ID, Sent: false})
		}
	case messages.SessionsOffered, messages.Proceed, greetAgain:
	case messages.KillAllowed:
		c.mayKill(ctx)
	case holdOn:
		c.askHolds(ctx)
	case ruleSaid:
		c.ruled(ctx, m)
	case askRule:
		if c.State() == string(messages.ClusterConnecting) {
			c.askRule(ctx)
		}
	case shareDue:
		if !c.dying() {
			c.passOn(ctx)
		}
	case woke:
		c.heard(ctx)
	case probeEnded:
		c.probed(ctx, m)
	case messages.Outage:
		c.setOutage(ctx, m.On)
	case messages.Lease:
		c.lease = m
	case messages.ReportAgain:
		c.tell(ctx)
	case messages.GetSnapshot:
		c.survey(ctx)
	case runStarted, runDied, runExited, found: // comes too late
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
