package actors

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
type ClusterSupervisor struct {
	w        *world.World
	house    House
	options  Options
	settings messages.Settings
	shared   *atomic.Pointer[messages.Settings] // the same, for clusters that start again
	manager  messages.Snowflake
	wards    map[messages.ClusterID]*ward
	stopping bool // this actor ends
	seq      int
	outage   plan.Outage // of Discord, as this machine sees it

	ranges
}

// ward is what the supervisor knows of one cluster.
type ward struct {
	plan.Cluster
	pid      *actor.PID // nil: no actor
	state    messages.ClusterState
	process  int // pid, 0 when there is none
	ready    int
	out      int // shards that Discord threw out
	restarts int
	history  plan.History
	seq      int    // of the pending restart
	cancel   func() // of the pending restart
	ending   bool   // its stop was ordered
	then     fate
}

// fate is what becomes of a ward once its actor is gone.
type fate int

const (
	forget fate = iota // its range is released
	rest               // stopped by an operator, or failed: it stays on the list
	broken             // stopped by a guard: it stays on the list as failed
	again              // it starts anew
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

var _ actor.SupervisorStrategy = (*ClusterSupervisor)(nil)

func newClusters(w *world.World, house House, o Options) *actor.Props {
	mint := messages.Mint{Worker: uint32(o.PID)}
	s := &ClusterSupervisor{w: w, house: house, options: o, wards: map[messages.ClusterID]*ward{}, shared: &atomic.Pointer[messages.Settings]{}, manager: mint.New(time.Now(), messages.ManagerShard)}
	return w.Spawn("clusters", func() actor.Actor { return s })
}

// Receive is ClusterSupervisor's only state.
func (s *ClusterSupervisor) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case messages.Settings:
		s.configure(ctx, m)
	case messages.TakeBack:
		s.takeBack(ctx, m)
	case messages.Serve:
		s.serve(ctx, m)
	case messages.Release:
		s.release(ctx, m)
	case messages.StopAll:
		s.draining = true
		for _, w := range s.inOrder() {
			s.end(ctx, w, forget)
		}
		s.settle(ctx)
	case messages.StopCluster:
		s.onWard(ctx, "stop", m.Cluster, func(w *ward) { s.end(ctx, w, rest) })
	case messages.RestartCluster:
		s.onWard(ctx, "restart", m.Cluster, func(w *ward) { s.end(ctx, w, again) })
	case messages.BreakOff:
		if w := s.wards[m.Cluster]; w != nil && !w.ending {
			ctx.Send(s.house.Herald, messages.ClusterIdentifyStorm{Cluster: w.ID, Shards: w.Shards.String(), Identifies: m.Identifies})
			s.end(ctx, w, broken)
		}
	case world.Recovered:
		s.recovered(ctx)
	case lookAgain:
		s.lookOut(ctx, false)
	case messages.ClusterMoved:
		s.moved(ctx, m)
	case messages.RunStopped:
		if w := s.wards[m.Cluster]; w != nil && w.pid != nil {
			if m.Again && !w.ending {
				w.then = again
			}
			w.ending = true
			ctx.Stop(w.pid)
		}
	case restartNow:
		if w := s.wards[m.id]; w != nil && w.seq == m.seq && w.cancel != nil && !s.stopping {
			w.cancel = nil
			w.restarts++
			ctx.(actor.Supervisor).RestartChildren(w.pid)
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

// recovered makes up for a message that was lost: the timer of a restart, the word of an end, the standing of a cluster.
func (s *ClusterSupervisor) recovered(ctx actor.Context) {
	for _, w := range s.inOrder() {
		switch {
		case w.cancel != nil:
			ctx.Send(ctx.Self(), restartNow{w.ID, w.seq})
		case w.pid != nil && w.ending:
			ctx.Send(w.pid, messages.StopRun{})
		case w.pid != nil:
			ctx.Send(w.pid, messages.Tell{})
		}
	}
	s.lookOut(ctx, false)
	s.settle(ctx)
}

// HandleFailure is the supervision strategy. It runs as this actor, and never blocks: the child's mailbox is suspended, so waiting costs a timer.
func (s *ClusterSupervisor) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	ctx := supervisor.(actor.Context)
	w := s.wardOf(child)
	f, known := reason.(*Failure)
	switch {
	case s.stopping:
	case !known && (w == nil || w.ending): // a panic of ours on the way to the end: it goes on
		(&world.Resume{Log: s.w.Log}).HandleFailure(system, supervisor, child, nil, reason, nil)
	case !known:
		s.panicked(ctx, w, world.AsError(reason))
	case w == nil || w.ending: // its stop is ordered; the process is dead, so that was all
		supervisor.StopChildren(child)
	default:
		s.died(ctx, w, f)
	}
}

// panicked begins a cluster's actor anew after a panic of ours. Its process lives: the new one lets the old one go, and adopts it. When that happens again and again
// the process is left alone, serving.
func (s *ClusterSupervisor) panicked(ctx actor.Context, w *ward, err error) {
	world.LogPanic(s.w.Log, w.pid.Id, err)
	var v plan.Verdict
	w.history, v = plan.Restart(w.history, plan.Failure{Cause: messages.CauseInternal}, time.Now(), s.w.Rand())
	if v.Action != plan.Detach {
		ctx.(actor.Supervisor).RestartChildren(w.pid)
		return
	}
	ctx.Send(s.house.Herald, messages.ControlBroken{Actor: w.pid.Id, Err: err.Error()})
	w.ending, w.then = true, rest
	s.say(ctx, w, messages.ClusterDetached)
	ctx.(actor.Supervisor).StopChildren(w.pid)
	s.settle(ctx)
}

// died carries out what the rule says about a dead cluster.
func (s *ClusterSupervisor) died(ctx actor.Context, w *ward, f *Failure) {
	var v plan.Verdict
	w.history, v = plan.Restart(w.history, plan.Failure{Cause: f.Cause, UpFor: f.Up, Detail: f.Detail()}, time.Now(), s.w.Rand())
	if v.Flapping {
		ctx.Send(s.house.Herald, messages.ClusterFlapping{Cluster: w.ID, Shards: w.Shards.String()})
	}
	w.process, w.ready, w.out = 0, 0, 0
	switch v.Action {
	case plan.RestartAfter:
		s.say(ctx, w, messages.ClusterWaiting)
		died := messages.ClusterDied{Cluster: w.ID, Shards: w.Shards.String(), PID: f.PID, Cause: f.Cause, Err: f.Err, Attempt: v.Attempt, RetryInMS: messages.Millis(v.After)}
		if f.Exit != nil {
			died.Exit = f.Exit.String()
		}
		ctx.Send(s.house.Herald, died)
		s.seq++
		w.seq = s.seq
		send, msg := world.Sender(ctx), restartNow{w.ID, w.seq}
		w.cancel = s.w.After(v.After, func() { send(msg) })
	case plan.Fatal:
		s.give(ctx, w, messages.ClusterFatal{Cluster: w.ID, Range: w.Shards, Shards: w.Shards.String(), CloseCode: f.CloseCode, Err: f.Err})
	default:
		up := messages.ClusterGaveUp{Cluster: w.ID, Range: w.Shards, Shards: w.Shards.String(), Attempts: v.Attempt, Causes: w.history.Causes,
			CloseCode: f.CloseCode, WaitedFor: f.WaitedFor}
		if f.Exit != nil {
			up.Output = f.Exit.Tail
		}
		s.give(ctx, w, up)
	}
}

// give up on a cluster: its actor goes, its place on the list stays.
func (s *ClusterSupervisor) give(ctx actor.Context, w *ward, why messages.Event) {
	ctx.Send(s.house.Herald, why)
	w.ending, w.then = true, rest
	s.say(ctx, w, messages.ClusterFailed)
	ctx.(actor.Supervisor).StopChildren(w.pid)
	s.settle(ctx)
}

// onWard carries out an operator's order on one cluster, unless it is not, or soon no longer, served here.
func (s *ClusterSupervisor) onWard(ctx actor.Context, verb string, id messages.ClusterID, do func(*ward)) {
	if w := s.wards[id]; w != nil && !s.draining && !(w.ending && w.then == forget) {
		do(w)
		s.settle(ctx)
		return
	}
	ctx.Send(s.house.Herald, messages.OrderRefused{Order: verb, Err: fmt.Sprintf("cluster %s is not served here", id)})
}

func (s *ClusterSupervisor) spawn(ctx actor.Context, w *ward) {
	w.ending, w.history, w.restarts, w.ready, w.process = false, plan.History{}, 0, 0, 0
	w.state = messages.ClusterSpawning
	pid, err := ctx.SpawnNamed(newCluster(s.w, s.house, s.options, s.shared, s.manager, w.Cluster), w.ID.String())
	if err != nil {
		panic(fmt.Sprintf("cluster %s: %v", w.ID, err)) // a name is used again only after Terminated
	}
	w.pid = pid
	if s.outage.On {
		ctx.Send(pid, messages.Outage{On: true})
	}
}

// lookOut tells an outage of Discord from single shards that have trouble, and lets the clusters know. ready: a shard has just become READY.
func (s *ClusterSupervisor) lookOut(ctx actor.Context, ready bool) {
	out, all := 0, 0
	for _, w := range s.wards {
		out += w.out
		all += w.Shards.Len()
	}
	changed, look := s.outage.See(out, all, ready, time.Now())
	if !look.IsZero() {
		send := world.Sender(ctx)
		s.w.After(time.Until(look), func() { send(lookAgain{}) })
	}
	if !changed {
		return
	}
	ctx.Send(s.house.Herald, messages.DiscordOutage{On: s.outage.On, Out: out, Shards: all})
	for _, w := range s.inOrder() {
		if w.pid != nil {
			ctx.Send(w.pid, messages.Outage{On: s.outage.On})
		}
	}
}

// end brings a ward to its end: a running one drains first, one that waits for its restart has no process, one that failed has not even an actor.
func (s *ClusterSupervisor) end(ctx actor.Context, w *ward, then fate) {
	if w.ending && w.pid != nil {
		if w.then != forget {
			w.then = then // under way already; only what comes behind it changes
		}
		return
	}
	waiting := w.cancel != nil
	w.calm()
	w.ending, w.then = true, then
	switch {
	case w.pid == nil && w.state == messages.ClusterDetached: // its process lives: a new actor finds it, and ends it
		s.spawn(ctx, w)
		w.ending = true
		ctx.Send(w.pid, messages.StopRun{})
	case w.pid == nil:
		s.buried(ctx, w)
	case waiting:
		ctx.Stop(w.pid)
	default:
		ctx.Send(w.pid, messages.StopRun{})
	}
}

// calm takes back a pending restart.
func (w *ward) calm() {
	if w.cancel != nil {
		w.cancel()
	}
	w.cancel = nil
}

// gone is the end of a child's actor.
func (s *ClusterSupervisor) gone(ctx actor.Context, pid *actor.PID) {
	w := s.wardOf(pid)
	if w == nil || s.stopping {
		return
	}
	w.pid = nil
	s.buried(ctx, w)
	s.settle(ctx)
}

// buried does what was to come after the end of a ward.
func (s *ClusterSupervisor) buried(ctx actor.Context, w *ward) {
	switch w.then {
	case forget:
		delete(s.wards, w.ID)
	case again:
		s.spawn(ctx, w)
	case broken:
		w.process, w.ready, w.out = 0, 0, 0
		s.say(ctx, w, messages.ClusterFailed)
	case rest:
		if w.state == messages.ClusterDetached {
			return
		}
		w.process, w.ready, w.out = 0, 0, 0
		if w.state != messages.ClusterFailed {
			s.say(ctx, w, messages.ClusterStopped)
		}
	}
}

// moved takes note of what a child says of itself.
func (s *ClusterSupervisor) moved(ctx actor.Context, m messages.ClusterMoved) {
	w := s.wards[m.Cluster]
	if w == nil || w.pid == nil || w.cancel != nil || ctx.Sender() != nil && !ctx.Sender().Equal(w.pid) {
		return
	}
	more := m.Ready > w.ready
	w.process, w.ready, w.out = m.PID, m.Ready, m.Out
	s.lookOut(ctx, more)
	s.say(ctx, w, m.State)
	s.settle(ctx)
}

// say tells everybody how a ward stands.
func (s *ClusterSupervisor) say(ctx actor.Context, w *ward, state messages.ClusterState) {
	w.state = state
	ctx.Send(s.house.Herald, messages.ClusterMoved{Cluster: w.ID, Range: w.Shards, Shards: w.Shards.String(), State: state, PID: w.process, Ready: w.ready, Out: w.out, Restarts: w.restarts})
}

func (s *ClusterSupervisor) wardOf(pid *actor.PID) *ward {
	for _, w := range s.wards {
		if w.pid != nil && w.pid.Equal(pid) {
			return w
		}
	}
	return nil
}

// inOrder is every ward by its id: what is done to several is done in this order.
func (s *ClusterSupervisor) inOrder() []*ward {
	var all []*ward
	for _, id := range slices.Sorted(maps.Keys(s.wards)) {
		all = append(all, s.wards[id])
	}
	return all
}
