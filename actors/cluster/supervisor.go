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

// ClusterSupervisor turns ranges into clusters and keeps them alive. It is its own actor.SupervisorStrategy: the three-restart rule (plan.Restart) decides on every
// Failure, which comes from a Cluster whose process is known dead. Only it stops its children, and it never restarts one that it stopped: protoactor would bring back a
// ghost.
//
//	Serve ──▶ ward: running ──Failure──▶ waiting ──after the delay──▶ running
//	              │                        └──budget spent, fatal──▶ failed ──RestartCluster──▶ running
//	              └──Release, StopAll, StopCluster──▶ ending ──Terminated──▶ gone, stopped, or running again
type Supervisor struct {
	w         *world.World
	addresses world.Addresses
	options   Options
	pid       int // our own, the worker field of our snowflakes
	settings  messages.Settings
	shared    *atomic.Pointer[messages.Settings] // the same, for clusters that start again
	manager   messages.Snowflake
	wards     map[messages.ClusterID]*ward
	stopping  bool // this actor ends
	seq       int
	outage    plan.Outage // of Discord, as this machine sees it
	turn      plan.KillTurn
	roll      rolling

	ranges
}

// ward is what the supervisor knows of one cluster.
type ward struct {
	plan.Cluster
	stray    bool       // left by an earlier life, of no range that is served: only to be ended
	pid      *actor.PID // nil: no actor
	next     *actor.PID // its successor in a rolling restart; nil: none
	names    int        // actors it had, for their names
	state    messages.ClusterState
	process  int // pid, 0 when there is none
	ready    int
	out      int  // shards that Discord threw out
	assumed  bool // that its shards are READY: nothing says it
	restarts int
	history  plan.History
	served   bool   // every shard was READY once, since an operator, or MASTER, had it started
	held     held   // what is wrong with this machine, so that it cannot be started
	passing  bool   // its restart is due to what passes, and consumes none
	fresh    bool   // its next start is to identify
	seq      int    // of the pending restart
	cancel   func() // of the pending restart
	sweeping bool   // when that was set, processes of the last run could be left
	ending   bool   // its stop was ordered
	then     fate
}

// fate is what becomes of a ward once its actor is gone.
type fate int

const (
	forget   fate = iota // its range is released
	rest                 // stopped by an operator, or failed: it stays on the list
	detached             // our own code fails on it: its process is left alone
	again                // it starts anew
)

// lookAgain is the time to look whether an outage lasts.
type lookAgain struct{}

// It may come after CONTROL has stopped; that is no news.
func (lookAgain) IgnoreDeadLetterLogging() {}

// restartNow is what a restart's timer tells the supervisor.
type restartNow struct {
	id  messages.ClusterID
	seq int
}

var _ actor.SupervisorStrategy = (*Supervisor)(nil)

// NewSupervisor returns the props of the Supervisor; pid is CONTROL's own, the worker field of its
// snowflakes.
func NewSupervisor(w *world.World, addresses world.Addresses, o Options, pid int) *actor.Props {
	mint := messages.Mint{Worker: uint32(pid)}
	s := &Supervisor{w: w, addresses: addresses, options: o, wards: map[messages.ClusterID]*ward{}, shared: &atomic.Pointer[messages.Settings]{}, manager: mint.New(time.Now(), messages.ManagerShard)}
	return w.Spawn("clusters", func() actor.Actor { return s })
}

// Receive is ClusterSupervisor's only state.
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
		s.survey(ctx, m)
	case messages.Booted:
		s.booted(ctx, m)
	case rollLate:
		if m.turn == s.roll.turn {
			s.stopRolling(ctx, s.roll.at, "not READY in time")
		}
	case messages.HeldBack:
		if w := s.wards[m.Cluster]; w != nil && !w.ending {
			ctx.Send(s.addresses.Events, messages.ClusterIdentifyStorm{Cluster: w.ID, Shards: w.Shards.String(), Identifies: m.Identifies, HeldMS: messages.Millis(m.For)})
		}
	case messages.KillWanted:
		s.killWanted(ctx, m)
	case world.Recovered:
		s.recovered(ctx)
	case lookAgain:
		s.lookOut(ctx, false)
	case messages.ClusterMoved:
		s.moved(ctx, m)
	case messages.RunStopped:
		w := s.wards[m.Cluster]
		if w != nil && same(w.pid, ctx.Sender()) {
			if m.Again && !w.ending {
				w.then = again
			}
			w.ending = true
		}
		ctx.Stop(ctx.Sender())
	case restartNow:
		if w := s.wards[m.id]; w != nil && w.seq == m.seq && w.cancel != nil && !s.stopping {
			w.cancel = nil
			if !w.passing {
				w.restarts++
			}
			s.restart(ctx, w)
		}
	case *actor.Terminated:
		s.gone(ctx, m.Who)
	case *actor.Stopping:
		s.stopping = true // messages go on coming
		for _, w := range s.wards {
			w.calm()
		}
	}
}

// ordered carries out an operator's order.
func (s *Supervisor) ordered(ctx actor.Context, order any) {
	switch m := order.(type) {
	case messages.DrainCluster:
		s.onWard(ctx, "drain", m.Cluster, func(w *ward) { s.end(ctx, w, rest) })
	case messages.StopCluster:
		s.onWard(ctx, "stop", m.Cluster, func(w *ward) { s.endFor(ctx, w, rest, messages.StopRun{Final: true}) })
	case messages.RestartCluster:
		s.onWard(ctx, "restart", m.Cluster, func(w *ward) {
			w.fresh = w.fresh || m.Fresh
			ctx.Send(s.addresses.Gate, messages.ResetBudget{Cluster: m.Cluster})
			s.end(ctx, w, again)
		})
	case messages.RollingRestart:
		s.startRolling(ctx)
	case messages.AcceptMaster:
		s.forgetEpochs(ctx)
	}
}

func (s *Supervisor) stopAll(ctx actor.Context) {
	s.draining = true
	for _, w := range s.inOrder() {
		s.end(ctx, w, forget)
	}
	s.settle(ctx)
}

// onWard carries out an operator's order on one cluster, unless it is not, or soon no longer, served here.
func (s *Supervisor) onWard(ctx actor.Context, verb string, id messages.ClusterID, do func(*ward)) {
	if w := s.wards[id]; w != nil && !s.draining && !(w.ending && w.then == forget) {
		do(w)
		s.settle(ctx)
		return
	}
	ctx.Send(s.addresses.Events, messages.OrderRefused{Order: verb, Cluster: &id, Err: fmt.Sprintf("cluster %s is not served here", id)})
}

func (s *Supervisor) spawn(ctx actor.Context, w *ward) {
	w.ending, w.served, w.history, w.restarts, w.ready, w.process, w.held, w.passing = false, false, plan.History{}, 0, 0, 0, held{}, false
	w.state = messages.ClusterSpawning
	if w.fresh {
		ctx.Send(s.addresses.Sessions, messages.ForgetSessions{Cluster: w.ID})
		w.fresh = false
	}
	w.pid = s.spawnActor(ctx, w, false)
}

// spawnActor spawns an actor for a cluster: the first is named by its id, a successor by its id and a number.
func (s *Supervisor) spawnActor(ctx actor.Context, w *ward, successor bool) *actor.PID {
	name := w.ID.String()
	if successor {
		w.names++
		name = fmt.Sprintf("%s.%d", name, w.names)
	}
	pid, err := ctx.SpawnNamed(newCluster(s.w, s.addresses, s.options, s.pid, s.shared, s.manager, w.Cluster, successor), name)
	if err != nil {
		panic(fmt.Sprintf("cluster %s: %v", name, err)) // a name is used again only after Terminated
	}
	s.brief(ctx, pid)
	return pid
}

// restart begins a cluster's actor anew. What the one before it was told went with it.
func (s *Supervisor) restart(ctx actor.Context, w *ward) {
	ctx.(actor.Supervisor).RestartChildren(w.pid)
	s.brief(ctx, w.pid)
}

// brief tells a cluster's actor that begins what the others know.
func (s *Supervisor) brief(ctx actor.Context, pid *actor.PID) {
	if s.outage.On {
		ctx.Send(pid, messages.Outage{On: true})
	}
	ctx.Send(pid, s.lease)
}

// end brings a ward to its end: a running one drains first, one that waits for its restart has no process, one that failed has not even an actor.
func (s *Supervisor) end(ctx actor.Context, w *ward, then fate) {
	s.endFor(ctx, w, then, messages.StopRun{})
}

// endFor is end in the way that stop says.
func (s *Supervisor) endFor(ctx actor.Context, w *ward, then fate, stop messages.StopRun) {
	s.stopRolling(ctx, w, "another order for the cluster")
	if w.next != nil {
		ctx.Send(w.next, messages.StopRun{})
	}
	if w.ending && w.pid != nil {
		if w.then != forget {
			w.then = then // under way already; only what comes behind it changes
		}
		return
	}
	waiting := w.cancel != nil
	w.calm()
	w.fresh = w.fresh || stop.Final
	w.ending, w.then = true, then
	switch {
	case w.pid == nil:
		s.buried(ctx, w)
	case waiting && w.sweeping:
		ctx.(actor.Supervisor).ResumeChildren(w.pid) // it fails again once nothing of its process is left
	case waiting:
		ctx.Send(s.addresses.Events, messages.ClusterStoppedByOrder{Cluster: w.ID, Shards: w.Shards.String()})
		ctx.Stop(w.pid)
	default:
		ctx.Send(w.pid, stop)
	}
}

// returns reports whether a ward is being ended only to start anew.
func (w *ward) returns() bool { return w.ending && w.then == again }

// calm takes back a pending restart.
func (w *ward) calm() {
	if w.cancel != nil {
		w.cancel()
	}
	w.cancel = nil
}

// gone is the end of a child's actor.
func (s *Supervisor) gone(ctx actor.Context, pid *actor.PID) {
	w := s.wardOf(pid)
	switch {
	case w == nil || s.stopping:
		return
	case same(pid, w.next):
		w.next = nil
	default:
		w.pid = nil
	}
	switch {
	case w.pid == nil && w.next != nil && w.then == again:
		s.promote(ctx, w)
	case w.pid == nil && w.next == nil:
		s.buried(ctx, w)
	}
	s.settle(ctx)
}

// buried does what was to come after the end of a ward.
func (s *Supervisor) buried(ctx actor.Context, w *ward) {
	if then := w.then; w.state == messages.ClusterDetached && then != detached { // its process lives: a new actor finds it, and ends it
		s.spawn(ctx, w)
		w.ending, w.then = true, then
		ctx.Send(w.pid, messages.StopRun{})
		return
	}
	switch w.then {
	case forget:
		delete(s.wards, w.ID)
		w.process, w.ready, w.out = 0, 0, 0
		s.say(ctx, w, messages.ClusterGone)
	case again:
		s.spawn(ctx, w)
	case rest:
		w.process, w.ready, w.out = 0, 0, 0
		if w.state != messages.ClusterFailed {
			s.say(ctx, w, messages.ClusterStopped)
		}
	}
}

// moved takes note of what a child says of itself.
func (s *Supervisor) moved(ctx actor.Context, m messages.ClusterMoved) {
	w := s.wards[m.Cluster]
	if w == nil || w.cancel != nil || !same(w.pid, ctx.Sender()) || w.state == messages.ClusterDetached || w.state == messages.ClusterFailed {
		return // late news of an actor that was given up
	}
	more := m.Ready > w.ready
	w.process, w.ready, w.out, w.assumed = m.PID, m.Ready, m.Out, m.Assumed
	if m.State == messages.ClusterServing && !m.Assumed {
		w.history = w.history.Served()
	}
	s.lookOut(ctx, more)
	s.say(ctx, w, m.State)
	s.settle(ctx)
	s.rolled(ctx, w)
}

// say tells everybody how a ward stands.
func (s *Supervisor) say(ctx actor.Context, w *ward, state messages.ClusterState) {
	if w.state = state; !w.held.holds(state) {
		s.hold(ctx, w, held{})
	}
	ctx.Send(s.addresses.Events, w.standing())
}

// standing is how a ward stands.
func (w *ward) standing() messages.ClusterMoved {
	return messages.ClusterMoved{Cluster: w.ID, Range: w.Shards, Shards: w.Shards.String(), State: w.state, PID: w.process, Ready: w.ready, Out: w.out, Restarts: w.restarts,
		Assumed: w.assumed && w.ready > 0}
}

func (s *Supervisor) wardOf(pid *actor.PID) *ward {
	for _, w := range s.wards {
		if same(pid, w.pid) || same(pid, w.next) {
			return w
		}
	}
	return nil
}

// inOrder is every ward by its id: what is done to several is done in this order.
func (s *Supervisor) inOrder() []*ward {
	var all []*ward
	for _, id := range slices.Sorted(maps.Keys(s.wards)) {
		all = append(all, s.wards[id])
	}
	return all
}

// same reports whether two addresses are one; nobody's is no one's.
func same(a, b *actor.PID) bool { return a != nil && b != nil && a.Equal(b) }
