package cluster

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// This file is how ClusterSupervisor answers what goes wrong: the three-restart rule, panics of our own, an outage of Discord.

// recovered makes up for a message that was lost: the timer of a restart, the word of an end, the standing of a cluster.
func (s *Supervisor) recovered(ctx actor.Context) {
	for _, w := range s.inOrder() {
		switch {
		case w.cancel != nil:
			ctx.Send(ctx.Self(), restartNow{w.ID, w.seq})
		case w.pid != nil && w.ending:
			ctx.Send(w.pid, messages.StopRun{})
		case w.pid != nil:
			ctx.Send(w.pid, messages.ReportAgain{})
		}
	}
	s.lookOut(ctx, false)
	if s.seeking {
		s.seekLeftovers(ctx, 0)
	}
	s.settle(ctx)
}

// HandleFailure is the supervision strategy. It runs as this actor, and never blocks: the child's mailbox is suspended, so waiting costs a timer.
func (s *Supervisor) HandleFailure(system *actor.ActorSystem, supervisor actor.Supervisor, child *actor.PID, _ *actor.RestartStatistics, reason, _ any) {
	ctx := supervisor.(actor.Context)
	w := s.wardOf(child)
	f, known := reason.(*Failure)
	switch {
	case s.stopping:
	case known && w != nil && f.Sweeping && (w.ending || same(child, w.next)):
		supervisor.ResumeChildren(child) // it fails again once nothing of its process is left
	case known && w != nil && same(child, w.next):
		s.successorDied(ctx, w, f)
	case !known && (w == nil || w.ending || same(child, w.next)): // a panic of ours on the way to the end: it goes on
		(&world.Resume{Log: s.w.Log}).HandleFailure(system, supervisor, child, nil, reason, nil)
		if w != nil && same(child, w.pid) { // what it lost may have been the order
			ctx.Send(w.pid, messages.StopRun{})
		}
	case !known:
		s.panicked(ctx, w, world.AsError(reason))
	case w == nil:
		supervisor.StopChildren(child)
	case w.ending: // its stop is ordered; the process is dead, so that was all
		ctx.Send(s.addresses.Events, messages.ClusterStoppedByOrder{Cluster: w.ID, Shards: w.Shards.String()})
		supervisor.StopChildren(child)
	default:
		s.died(ctx, w, f)
	}
}

// panicked begins a cluster's actor anew after a panic of ours. Its process lives: the new one lets the old one go, and adopts it. When that happens again and again
// the process is left alone, serving.
func (s *Supervisor) panicked(ctx actor.Context, w *ward, err error) {
	world.LogPanic(s.w.Log, w.pid.Id, err)
	var v plan.Verdict
	w.history, v = plan.Restart(w.history, plan.Failure{Cause: messages.CauseInternal}, time.Now(), s.w.Rand())
	if v.Action != plan.Detach {
		s.restart(ctx, w)
		return
	}
	ctx.Send(s.addresses.Events, messages.ControlBroken{Actor: w.pid.Id, Err: err.Error()})
	w.ending, w.then = true, detached
	s.say(ctx, w, messages.ClusterDetached)
	ctx.(actor.Supervisor).StopChildren(w.pid)
	s.settle(ctx)
}

// died carries out what the rule says about a dead cluster.
func (s *Supervisor) died(ctx actor.Context, w *ward, f *Failure) {
	history, v := plan.Restart(w.history, f.asPlanned(s.outage.On), time.Now(), s.w.Rand())
	if f.Sweeping && v.Action != plan.RestartAfter {
		ctx.(actor.Supervisor).ResumeChildren(w.pid) // it fails again once nothing of its process is left
		return
	}
	w.history, w.sweeping = history, f.Sweeping
	w.served = w.served || f.Up > 0
	s.hold(ctx, w, f.Held)
	if v.Flapping {
		ctx.Send(s.addresses.Events, messages.ClusterFlapping{Cluster: w.ID, Shards: w.Shards.String()})
	}
	w.process, w.ready, w.out = 0, 0, 0
	s.stopRolling(ctx, w, f.Detail())
	switch v.Action {
	case plan.RestartAfter:
		w.passing = v.Class.Passes()
		if !w.served && !w.passing { // the rule alone bounds what a bot that never starts may identify
			ctx.Send(s.addresses.Gate, messages.ResetBudget{Cluster: w.ID})
		}
		s.say(ctx, w, messages.ClusterWaiting)
		if !f.Unstarted { // of that cluster.held is said, once
			died := messages.ClusterDied{Cluster: w.ID, Shards: w.Shards.String(), PID: f.PID, Cause: f.Cause, Class: v.Class.String(), Err: f.Err, Attempt: v.Attempt,
				RetryInMS: messages.Millis(v.After)}
			if f.Exit != nil {
				died.Exit = f.Exit.String()
			}
			ctx.Send(s.addresses.Events, died)
		}
		s.seq++
		w.seq = s.seq
		send, msg := world.Sender(ctx), restartNow{w.ID, w.seq}
		w.cancel = s.w.After(v.After, func() { send(msg) })
	case plan.Fatal:
		s.give(ctx, w, messages.ClusterFatal{Cluster: w.ID, Range: w.Shards, Shards: w.Shards.String(), CloseCode: f.CloseCode, Err: f.Err, Hint: plan.FatalHint(f.CloseCode)})
	default:
		up := messages.ClusterGaveUp{Cluster: w.ID, Range: w.Shards, Shards: w.Shards.String(), Attempts: v.Attempt, Cause: f.Cause, Causes: w.history.Causes,
			CloseCode: f.CloseCode, WaitedFor: f.WaitedFor}
		if f.Exit != nil {
			if up.Output = f.Exit.Tail; s.options.Logs == "" {
				up.Output = "not kept: it goes where CONTROL's own output goes (cluster.logs)"
			}
		}
		s.give(ctx, w, up)
	}
}

// hold notes the trouble of this machine that keeps a cluster from starting, and reports it where
// it is another one than before; zero: it is over.
func (s *Supervisor) hold(ctx actor.Context, w *ward, h held) {
	before := w.held
	if w.held = h; before.cause == h.cause {
		return
	}
	on := h.cause != ""
	if !on {
		h = before
	}
	ctx.Send(s.addresses.Events, messages.ClusterHeld{On: on, Cluster: w.ID, Range: w.Shards, Shards: w.Shards.String(), Err: h.err, Cure: h.cure})
}

// killWanted lets one cluster at a time kill a process that is late while the machine is short of
// CPU time.
func (s *Supervisor) killWanted(ctx actor.Context, m messages.KillWanted) {
	last := s.wards[messages.ClusterID(s.turn.Of())]
	if w := s.wards[m.Cluster]; w != nil && !w.ending && s.turn.Take(int(m.Cluster), last == nil || last.state == messages.ClusterServing || last.state == messages.ClusterFailed, time.Now()) {
		ctx.Respond(messages.KillAllowed{})
	}
}

// holds reports whether what keeps a cluster from starting may go on in a state.
func (h held) holds(state messages.ClusterState) bool {
	switch state {
	case messages.ClusterWaiting, messages.ClusterReserving, messages.ClusterSpawning, messages.ClusterAdopting, messages.ClusterAwaiting:
		return true
	case messages.ClusterGreeting, messages.ClusterConnecting, messages.ClusterKilling:
		return h.cause == starving("").cause
	default:
		return false
	}
}

// give up on a cluster: its actor goes, its place on the list stays.
func (s *Supervisor) give(ctx actor.Context, w *ward, why messages.Event) {
	ctx.Send(s.addresses.Events, why)
	w.ending, w.then = true, rest
	s.say(ctx, w, messages.ClusterFailed)
	ctx.(actor.Supervisor).StopChildren(w.pid)
	s.settle(ctx)
}

// lookOut tells an outage of Discord from single shards that have trouble, and lets the clusters know. ready: a shard has just become READY.
func (s *Supervisor) lookOut(ctx actor.Context, ready bool) {
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
	ctx.Send(s.addresses.Events, messages.DiscordOutage{On: s.outage.On, Out: out, Shards: all})
	for _, w := range s.inOrder() {
		if w.pid != nil {
			ctx.Send(w.pid, messages.Outage{On: s.outage.On})
		}
	}
}
