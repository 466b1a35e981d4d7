package cluster

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file handles failures of clusters: the three-restart rule, panics, an outage of Discord.

// recovered replaces messages that a panic may have lost: the timer of a restart, the end or the
// state of a cluster.
func (s *Supervisor) recovered(ctx actor.Context) {
	for _, e := range s.inOrder() {
		switch {
		case e.cancel != nil:
			ctx.Send(ctx.Self(), restartNow{e.ID, e.seq})
		case e.pid != nil && e.ending:
			ctx.Send(e.pid, messages.StopRun{})
		case e.pid != nil:
			ctx.Send(e.pid, messages.ReportAgain{})
		}
	}
	s.checkOutage(ctx, false)
	if s.seeking {
		s.seekLeftovers(ctx, 0)
	}
	s.settle(ctx)
}

// HandleFailure is the supervision strategy. It runs in this actor and never blocks: the child's
// mailbox is suspended, and a delay is a timer.
func (s *Supervisor) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	ctx := supervisor.(actor.Context)
	e := s.entryOf(child)
	f, known := reason.(*Failure)
	switch {
	case s.stopping:
	case known && e != nil && f.Left && (e.ending || same(child, e.successor)):
		supervisor.ResumeChildren(child) // it fails again once no process is left
	case known && e != nil && same(child, e.successor):
		s.successorDied(ctx, e, f)
	case !known && (e == nil || e.ending || same(child, e.successor)): // a panic on the way to the end: it goes on
		(&world.Resume{Log: s.w.Log}).HandleFailure(system, supervisor, child, nil, reason, nil)
		if e != nil && same(child, e.pid) { // the panic may have lost the order
			ctx.Send(e.pid, messages.StopRun{})
		}
	case !known:
		s.panicked(ctx, e, world.AsError(reason))
	case e == nil:
		supervisor.StopChildren(child)
	case e.ending: // its stop was ordered, and the process is dead
		ctx.Send(s.addresses.Events, messages.ClusterStoppedByOrder{Cluster: e.ID, Shards: e.Shards.String()})
		supervisor.StopChildren(child)
	default:
		s.died(ctx, e, f)
	}
}

// panicked restarts a cluster's actor after a panic. The process keeps running, and the new actor
// adopts it. After repeated panics the process is left alone, serving.
func (s *Supervisor) panicked(ctx actor.Context, e *entry, err error) {
	world.LogPanic(s.w.Log, e.pid.Id, err)
	var v plan.Verdict
	e.history, v = plan.Restart(e.history, plan.Failure{Cause: messages.CauseInternal}, time.Now(), s.w.Rand())
	if v.Action != plan.Detach {
		s.restart(ctx, e)
		return
	}
	ctx.Send(s.addresses.Events, messages.ControlBroken{Actor: e.pid.Id, Err: err.Error()})
	e.ending, e.then = true, detached
	s.setState(ctx, e, messages.ClusterDetached)
	ctx.(actor.Supervisor).StopChildren(e.pid)
	s.settle(ctx)
}

// died carries out what plan.Restart decides about a dead cluster.
func (s *Supervisor) died(ctx actor.Context, e *entry, f *Failure) {
	history, v := plan.Restart(e.history, f.asPlanned(s.outage.On), time.Now(), s.w.Rand())
	if f.Left && v.Action != plan.RestartAfter {
		ctx.(actor.Supervisor).ResumeChildren(e.pid) // it fails again once no process is left
		return
	}
	e.history, e.unswept = history, f.Left
	e.served = e.served || f.Up > 0
	s.setTrouble(ctx, e, f.Trouble)
	if v.Flapping {
		ctx.Send(s.addresses.Events, messages.ClusterFlapping{Cluster: e.ID, Shards: e.Shards.String()})
	}
	e.osPID, e.ready, e.out = 0, 0, 0
	s.stopRolling(ctx, e, f.Detail())
	switch v.Action {
	case plan.RestartAfter:
		e.passing = v.Class.Passes()
		if !e.served && !e.passing { // the rule itself bounds the identifies of a bot that never starts
			ctx.Send(s.addresses.Gate, messages.ResetBudget{Cluster: e.ID})
		}
		s.setState(ctx, e, messages.ClusterWaiting)
		if !f.Unstarted { // else cluster.held reports it, once
			died := messages.ClusterDied{Cluster: e.ID, Shards: e.Shards.String(), PID: f.PID, Cause: f.Cause, Class: v.Class.String(), Err: f.Err, Attempt: v.Attempt,
				RetryInMS: messages.Millis(v.After)}
			if f.Exit != nil {
				died.Exit = f.Exit.String()
			}
			ctx.Send(s.addresses.Events, died)
		}
		s.seq++
		e.seq = s.seq
		send, msg := world.Sender(ctx), restartNow{e.ID, e.seq}
		e.cancel = s.w.After(v.After, func() { send(msg) })
	case plan.Fatal:
		s.giveUp(ctx, e, messages.ClusterFatal{Cluster: e.ID, Range: e.Shards, Shards: e.Shards.String(), CloseCode: f.CloseCode, Err: f.Err, Hint: plan.FatalHint(f.CloseCode)})
	default:
		up := messages.ClusterGaveUp{Cluster: e.ID, Range: e.Shards, Shards: e.Shards.String(), Attempts: v.Attempt, Cause: f.Cause, Causes: e.history.Causes,
			CloseCode: f.CloseCode, WaitedFor: f.WaitedFor}
		if f.Exit != nil {
			if up.Output = f.Exit.Tail; s.options.Logs == "" {
				up.Output = "not kept: it goes to CONTROL's own output (cluster.logs)"
			}
		}
		s.giveUp(ctx, e, up)
	}
}

// setTrouble sets the trouble of this machine that keeps a cluster from starting; zero: none. It
// reports a change.
func (s *Supervisor) setTrouble(ctx actor.Context, e *entry, t trouble) {
	before := e.trouble
	if e.trouble = t; before.cause == t.cause {
		return
	}
	on := t.cause != ""
	if !on {
		t = before
	}
	ctx.Send(s.addresses.Events, messages.ClusterHeld{On: on, Cluster: e.ID, Range: e.Shards, Shards: e.Shards.String(), Err: t.err, Cure: t.cure})
}

// killWanted allows one cluster at a time to kill a late process while the machine is short of CPU
// time.
func (s *Supervisor) killWanted(ctx actor.Context, m messages.KillWanted) {
	last := s.entries[messages.ClusterID(s.turn.Of())]
	if e := s.entries[m.Cluster]; e != nil && !e.ending && s.turn.Take(int(m.Cluster), last == nil || last.state == messages.ClusterServing || last.state == messages.ClusterFailed, time.Now()) {
		ctx.Respond(messages.KillAllowed{})
	}
}

// persists reports whether the trouble can persist in a state.
func (t trouble) persists(state messages.ClusterState) bool {
	switch state {
	case messages.ClusterWaiting, messages.ClusterReserving, messages.ClusterSpawning, messages.ClusterAdopting, messages.ClusterAwaiting:
		return true
	case messages.ClusterGreeting, messages.ClusterConnecting, messages.ClusterKilling:
		return t.cause == starving("").cause
	default:
		return false
	}
}

// giveUp stops a cluster's actor for good and keeps its entry.
func (s *Supervisor) giveUp(ctx actor.Context, e *entry, why messages.Event) {
	ctx.Send(s.addresses.Events, why)
	e.ending, e.then = true, keep
	s.setState(ctx, e, messages.ClusterFailed)
	ctx.(actor.Supervisor).StopChildren(e.pid)
	s.settle(ctx)
}

// checkOutage detects the begin and the end of an outage of Discord, as opposed to trouble of
// single shards, and reports it to the clusters. ready: a shard has just become READY.
func (s *Supervisor) checkOutage(ctx actor.Context, ready bool) {
	out, all := 0, 0
	for _, e := range s.entries {
		out += e.out
		all += e.Shards.Len()
	}
	changed, look := s.outage.See(out, all, ready, time.Now())
	if !look.IsZero() {
		send := world.Sender(ctx)
		s.w.After(time.Until(look), func() { send(outageDue{}) })
	}
	if !changed {
		return
	}
	ctx.Send(s.addresses.Events, messages.DiscordOutage{On: s.outage.On, Out: out, Shards: all})
	for _, e := range s.inOrder() {
		if e.pid != nil {
			ctx.Send(e.pid, messages.Outage{On: s.outage.On})
		}
	}
}
