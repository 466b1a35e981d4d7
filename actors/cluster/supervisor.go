package cluster

import (
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// Supervisor turns ranges into clusters and keeps them running. It is its own
// actor.SupervisorStrategy: the three-restart rule (plan.Restart) decides on every Failure, which
// comes from a Cluster whose process is known dead. Only the Supervisor stops its children, and it
// never restarts a child that it stopped: protoactor would bring back a stopped actor.
//
//	Serve ──▶ entry: running ──Failure──▶ waiting ──after the delay──▶ running
//	               │                        └──budget spent, fatal──▶ failed ──RestartCluster──▶ running
//	               └──Release, StopAll, StopCluster──▶ ending ──Terminated──▶ gone, stopped, or running again
type Supervisor struct {
	w         *world.World
	addresses world.Addresses
	options   Options
	pid       int // of CONTROL: the worker field of its snowflakes
	settings  messages.Settings
	shared    *atomic.Pointer[messages.Settings] // the same, for clusters that restart
	spoken    atomic.Bool                        // a cluster's process has opened its socket
	manager   messages.Snowflake
	entries   map[messages.ClusterID]*entry
	stopping  bool        // this actor is stopping
	seq       int         // of the last restart that was set
	outage    plan.Outage // of Discord, as this machine sees it
	turn      plan.KillTurn
	roll      rolling

	ranges
}

// entry is the supervisor's state of one cluster.
type entry struct {
	plan.Cluster
	stray      bool       // a leftover of an earlier run, of no served range: it only has to end
	pid        *actor.PID // nil: no actor
	successor  *actor.PID // its successor in a rolling restart; nil: none
	successors int        // number of its successors so far, for their names
	state      messages.ClusterState
	osPID      int // pid; 0: none
	ready      int
	out        int    // shards that cannot reach Discord
	assumed    bool   // its shards count as READY without a report
	waits      string // what its start waits for, of one without reports
	restarts   int
	deaths     int // of the bot that the process of now runs as its child; restarts has them
	history    plan.History
	served     bool    // every shard was READY once since the start by an operator or MASTER
	trouble    trouble // the trouble of this machine that keeps it from starting
	passing    bool    // its restart has a passing cause and is not counted
	fresh      bool    // its next start identifies
	seq        int     // of the pending restart
	cancel     func()  // of the pending restart
	unswept    bool    // processes of the last run could be left when the restart was set
	ending     bool    // its stop was ordered
	then       afterStop
}

// afterStop selects what happens to an entry once its actor has stopped.
type afterStop int

const (
	remove     afterStop = iota // its range is released
	keep                        // stopped by an operator, or failed: the entry stays
	detached                    // CONTROL's code fails on it: its process is left alone
	startAgain                  // it starts again
)

// outageDue is the timer to check whether an outage lasts.
type outageDue struct{ messages.MayBeLost }

// restartNow is the timer of a restart.
type restartNow struct {
	id  messages.ClusterID
	seq int
}

var _ actor.SupervisorStrategy = (*Supervisor)(nil)

// NewSupervisor returns the props of the Supervisor; pid is CONTROL's own, the worker field of its
// snowflakes.
func NewSupervisor(w *world.World, addresses world.Addresses, o Options, pid int) *actor.Props {
	mint := messages.Mint{Worker: uint32(pid)}
	s := &Supervisor{w: w, addresses: addresses, options: o, pid: pid, entries: map[messages.ClusterID]*entry{}, shared: &atomic.Pointer[messages.Settings]{}, manager: mint.New(time.Now(), messages.ManagerShard)}
	return w.Spawn("clusters", func() actor.Actor { return s })
}

// Receive handles every message; there is one state.
func (s *Supervisor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.Settings:
		s.configure(ctx, m)
	case messages.Lease:
		s.leased(ctx, m)
	case messages.TakeBack:
		s.takeBack(ctx, m)
	case leftovers:
		s.endLeftovers(ctx, m)
	case seekAgain:
		s.seekLeftovers(ctx, m.tries)
	case messages.Serve:
		s.serve(ctx, m)
	case messages.Release:
		s.release(ctx, m)
	case messages.StopAll:
		s.stopAll(ctx)
	case messages.DrainCluster, messages.StopCluster, messages.RestartCluster, messages.RollingRestart, messages.AcceptMaster:
		s.ordered(ctx, m)
	case messages.GetSnapshot:
		s.snapshot(ctx, m)
	case messages.Booted:
		s.booted(ctx, m)
	case rollLate:
		if m.turn == s.roll.turn {
			s.stopRolling(ctx, s.roll.at, "not READY in time")
		}
	case messages.HeldBack:
		if e := s.entries[m.Cluster]; e != nil && !e.ending {
			ctx.Send(s.addresses.Events, messages.ClusterIdentifyStorm{Cluster: e.ID, Shards: e.Shards.String(), Identifies: m.Identifies, HeldMS: messages.Millis(m.For)})
		}
	case messages.KillWanted:
		s.killWanted(ctx, m)
	case world.Recovered:
		s.recovered(ctx)
	case outageDue:
		s.checkOutage(ctx, false)
	case messages.ClusterMoved:
		s.moved(ctx, m)
	case messages.RunStopped:
		e := s.entries[m.Cluster]
		if e != nil && same(e.pid, ctx.Sender()) {
			if m.Again && !e.ending {
				e.then = startAgain
			}
			e.ending = true
		}
		ctx.Stop(ctx.Sender())
	case restartNow:
		if e := s.entries[m.id]; e != nil && e.seq == m.seq && e.cancel != nil && !s.stopping {
			e.cancel = nil
			if !e.passing {
				e.restarts++
			}
			s.restart(ctx, e)
		}
	case *actor.Terminated:
		s.terminated(ctx, m.Who)
	case *actor.Stopping:
		s.stopping = true // messages still arrive
		for _, e := range s.entries {
			e.cancelRestart()
		}
	}
}

// ordered carries out an operator's order.
func (s *Supervisor) ordered(ctx actor.Context, order any) {
	switch m := order.(type) {
	case messages.DrainCluster:
		s.onEntry(ctx, messages.OrderDrain, m.Cluster, func(e *entry) { s.end(ctx, e, keep) })
	case messages.StopCluster:
		s.onEntry(ctx, messages.OrderStop, m.Cluster, func(e *entry) { s.endFor(ctx, e, keep, messages.StopRun{Final: true}) })
	case messages.RestartCluster:
		s.onEntry(ctx, messages.OrderRestart, m.Cluster, func(e *entry) {
			e.fresh = e.fresh || m.Fresh
			ctx.Send(s.addresses.Gate, messages.ResetBudget{Cluster: m.Cluster})
			s.end(ctx, e, startAgain)
		})
	case messages.RollingRestart:
		s.startRolling(ctx)
	case messages.AcceptMaster:
		s.forgetEpochs(ctx)
	}
}

func (s *Supervisor) stopAll(ctx actor.Context) {
	s.draining = true
	for _, e := range s.inOrder() {
		s.end(ctx, e, remove)
	}
	s.settle(ctx)
}

// onEntry carries out an operator's order on one cluster. It refuses the order if the cluster is
// not served here or is being removed.
func (s *Supervisor) onEntry(ctx actor.Context, verb string, id messages.ClusterID, do func(*entry)) {
	if e := s.entries[id]; e != nil && !s.draining && !(e.ending && e.then == remove) {
		do(e)
		s.settle(ctx)
		return
	}
	ctx.Send(s.addresses.Events, messages.OrderRefused{Order: verb, Cluster: &id, Err: fmt.Sprintf("cluster %s is not served here", id)})
}

func (s *Supervisor) spawn(ctx actor.Context, e *entry) {
	e.ending, e.served, e.history, e.restarts, e.deaths, e.ready, e.osPID, e.trouble, e.passing = false, false, plan.History{}, 0, 0, 0, 0, trouble{}, false
	e.state = messages.ClusterSpawning
	if e.fresh {
		ctx.Send(s.addresses.Sessions, messages.ForgetSessions{Cluster: e.ID})
		e.fresh = false
	}
	e.pid = s.spawnActor(ctx, e, false)
}

// spawnActor spawns an actor for a cluster: the first is named by its id, a successor by its id and
// a number.
func (s *Supervisor) spawnActor(ctx actor.Context, e *entry, successor bool) *actor.PID {
	name := e.ID.String()
	if successor {
		e.successors++
		name = fmt.Sprintf("%s.%d", name, e.successors)
	}
	pid, err := ctx.SpawnNamed(newCluster(s.w, s.addresses, s.options, s.pid, s.shared, &s.spoken, s.manager, e.Cluster, successor), name)
	if err != nil {
		panic(fmt.Sprintf("cluster %s: %v", name, err)) // a name is reused only after Terminated
	}
	s.brief(ctx, pid)
	return pid
}

// restart restarts a cluster's actor, and sends it the state that the old one had.
func (s *Supervisor) restart(ctx actor.Context, e *entry) {
	ctx.(actor.Supervisor).RestartChildren(e.pid)
	s.brief(ctx, e.pid)
}

// brief sends the outage and the lease to a new actor of a cluster.
func (s *Supervisor) brief(ctx actor.Context, pid *actor.PID) {
	if s.outage.On {
		ctx.Send(pid, messages.Outage{On: true})
	}
	ctx.Send(pid, s.lease)
}

// end ends a cluster. A running one drains first; one that waits for its restart has no process,
// and one that failed has no actor.
func (s *Supervisor) end(ctx actor.Context, e *entry, then afterStop) {
	s.endFor(ctx, e, then, messages.StopRun{})
}

// endFor ends a cluster as stop describes.
func (s *Supervisor) endFor(ctx actor.Context, e *entry, then afterStop, stop messages.StopRun) {
	s.stopRolling(ctx, e, "another order for the cluster")
	if e.successor != nil {
		ctx.Send(e.successor, messages.StopRun{})
	}
	if e.ending && e.pid != nil {
		if e.then != remove {
			e.then = then // under way already: only what follows changes
		}
		return
	}
	waiting := e.cancel != nil
	e.cancelRestart()
	e.fresh = e.fresh || stop.Final
	e.ending, e.then = true, then
	switch {
	case e.pid == nil:
		s.ended(ctx, e)
	case waiting && e.unswept:
		ctx.(actor.Supervisor).ResumeChildren(e.pid) // it fails again once no process is left
	case waiting:
		ctx.Send(s.addresses.Events, messages.ClusterStoppedByOrder{Cluster: e.ID, Shards: e.Shards.String()})
		ctx.Stop(e.pid)
	default:
		ctx.Send(e.pid, stop)
	}
}

// returns reports whether a cluster ends only to start again.
func (e *entry) returns() bool { return e.ending && e.then == startAgain }

// cancelRestart cancels a pending restart.
func (e *entry) cancelRestart() {
	if e.cancel != nil {
		e.cancel()
	}
	e.cancel = nil
}

// terminated handles the end of a child's actor.
func (s *Supervisor) terminated(ctx actor.Context, pid *actor.PID) {
	e := s.entryOf(pid)
	switch {
	case e == nil || s.stopping:
		return
	case same(pid, e.successor):
		e.successor = nil
	default:
		e.pid = nil
	}
	switch {
	case e.pid == nil && e.successor != nil && e.then == startAgain:
		s.promote(ctx, e)
	case e.pid == nil && e.successor == nil:
		s.ended(ctx, e)
	}
	s.settle(ctx)
}

// ended carries out what follows the end of a cluster.
func (s *Supervisor) ended(ctx actor.Context, e *entry) {
	if then := e.then; e.state == messages.ClusterDetached && then != detached { // its process still runs: a new actor finds and ends it
		s.spawn(ctx, e)
		e.ending, e.then = true, then
		ctx.Send(e.pid, messages.StopRun{})
		return
	}
	switch e.then {
	case remove:
		delete(s.entries, e.ID)
		e.osPID, e.ready, e.out = 0, 0, 0
		s.setState(ctx, e, messages.ClusterGone)
	case startAgain:
		s.spawn(ctx, e)
	case keep:
		e.osPID, e.ready, e.out = 0, 0, 0
		if e.state != messages.ClusterFailed {
			s.setState(ctx, e, messages.ClusterStopped)
		}
	}
}

// moved takes the state that a child reports.
func (s *Supervisor) moved(ctx actor.Context, m messages.ClusterMoved) {
	e := s.entries[m.Cluster]
	if e == nil || e.cancel != nil || !same(e.pid, ctx.Sender()) || e.state == messages.ClusterDetached || e.state == messages.ClusterFailed {
		return // a late report of an actor that was given up
	}
	more := m.Ready > e.ready
	e.osPID, e.ready, e.out, e.assumed, e.waits = m.PID, m.Ready, m.Out, m.Assumed, m.Waits
	e.restarts, e.deaths = e.restarts+max(0, m.Restarts-e.deaths), m.Restarts
	if m.State == messages.ClusterServing && !m.Assumed {
		e.history = e.history.Served()
	}
	s.checkOutage(ctx, more)
	s.setState(ctx, e, m.State)
	s.settle(ctx)
	s.rolled(ctx, e)
}

// setState sets the state of a cluster and reports it.
func (s *Supervisor) setState(ctx actor.Context, e *entry, state messages.ClusterState) {
	if e.state = state; !e.trouble.persists(state) {
		s.setTrouble(ctx, e, trouble{})
	}
	ctx.Send(s.addresses.Events, e.status())
}

// status returns the state of a cluster as an event.
func (e *entry) status() messages.ClusterMoved {
	m := messages.ClusterMoved{Cluster: e.ID, Range: e.Shards, Shards: e.Shards.String(), State: e.state, PID: e.osPID, Ready: e.ready, Out: e.out, Restarts: e.restarts,
		Assumed: e.assumed && e.ready > 0}
	if e.state == messages.ClusterConnecting {
		m.Waits = e.waits
	}
	return m
}

func (s *Supervisor) entryOf(pid *actor.PID) *entry {
	for _, e := range s.entries {
		if same(pid, e.pid) || same(pid, e.successor) {
			return e
		}
	}
	return nil
}

// inOrder lists every entry by id, the order for actions on several.
func (s *Supervisor) inOrder() []*entry {
	var all []*entry
	for _, id := range slices.Sorted(maps.Keys(s.entries)) {
		all = append(all, s.entries[id])
	}
	return all
}

// same reports whether two addresses are equal and not nil.
func same(a, b *actor.PID) bool { return a != nil && b != nil && a.Equal(b) }
