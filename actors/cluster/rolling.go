package cluster

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
)

// rolling is the state of a rolling restart. One cluster at a time gets a successor, which boots
// until its socket is open; then the old process drains, and the successor resumes its sessions. A
// bot that does not speak CONTROL's protocol resumes nothing and may not wait: it is stopped and
// started again. The roll stops at the first cluster that does not become ready: that one is
// restarted by the ordinary rule, and the clusters after it keep their processes.
type rolling struct {
	queue []messages.ClusterID
	at    *ward // nil: none is under way
	done  int
	turn  int // numbers the clusters, for the timer
}

// rollLimit is the time for one cluster, from its successor's start until it serves, beyond the
// time for its start.
const rollLimit = 2 * time.Minute

// rollLate reports that a cluster's turn took too long.
type rollLate struct{ turn int }

// May arrive after CONTROL has stopped.
func (rollLate) IgnoreDeadLetterLogging() {}

// startRolling queues every serving cluster.
func (s *Supervisor) startRolling(ctx actor.Context) {
	if s.roll.at != nil || s.draining {
		ctx.Send(s.addresses.Events, messages.OrderRefused{Order: "rolling restart", Err: "one is under way, or the machine is stopping"})
		return
	}
	s.roll = rolling{turn: s.roll.turn}
	for _, w := range s.inOrder() {
		if w.state == messages.ClusterServing {
			s.roll.queue = append(s.roll.queue, w.ID)
		}
	}
	ctx.Send(s.addresses.Events, messages.RollingRestartMoved{State: "started", Left: len(s.roll.queue)})
	s.rollOn(ctx)
}

// rollOn starts the successor of the next cluster.
func (s *Supervisor) rollOn(ctx actor.Context) {
	s.roll.at = nil
	for len(s.roll.queue) > 0 {
		w := s.wards[s.roll.queue[0]]
		s.roll.queue = s.roll.queue[1:]
		if w == nil || w.ending || w.state != messages.ClusterServing {
			continue
		}
		s.roll.at = w
		s.roll.turn++
		limit := rollLimit + s.options.HelloTimeout
		if s.options.asksItself() {
			limit += s.options.ReadyTimeout
			w.next = s.spawnActor(ctx, w, true)
		} else {
			limit += plan.StockStart(w.Shards) + s.options.Ready.After
			w.ending, w.then = true, again
			ctx.Send(w.pid, messages.StopRun{})
		}
		send, late := world.Sender(ctx), rollLate{s.roll.turn}
		s.w.After(limit, func() { send(late) })
		return
	}
	ctx.Send(s.addresses.Events, messages.RollingRestartMoved{State: "done", Done: s.roll.done})
}

// booted drains the old process: the successor's socket is open.
func (s *Supervisor) booted(ctx actor.Context, m messages.Booted) {
	if w := s.wards[m.Cluster]; w != nil && w.pid != nil && !w.ending && same(w.next, ctx.Sender()) {
		w.ending, w.then = true, again // restart, in case the successor dies
		ctx.Send(w.pid, messages.StopRun{})
	}
}

// promote makes the successor the cluster's actor once the old one is gone.
func (s *Supervisor) promote(ctx actor.Context, w *ward) {
	w.pid, w.next = w.next, nil
	w.ending, w.ready, w.out, w.process = false, 0, 0, 0
	w.state = messages.ClusterGreeting
	ctx.Send(w.pid, messages.Proceed{})
}

// rolled goes on with the next cluster if this one had its turn and serves again.
func (s *Supervisor) rolled(ctx actor.Context, w *ward) {
	if s.roll.at == w && w.next == nil && !w.ending && w.state == messages.ClusterServing {
		s.roll.done++
		s.rollOn(ctx)
	}
}

// stopRolling ends a rolling restart at the cluster that has its turn.
func (s *Supervisor) stopRolling(ctx actor.Context, w *ward, why string) {
	if s.roll.at != w || w == nil {
		return
	}
	ctx.Send(s.addresses.Events, messages.RollingRestartMoved{State: "stopped", Cluster: &w.ID, Done: s.roll.done, Left: len(s.roll.queue), Err: why})
	s.roll = rolling{turn: s.roll.turn}
	if w.next != nil && !w.ending {
		ctx.Send(w.next, messages.StopRun{})
	}
}

// successorDied ends the rolling restart. The old process keeps serving, or is started again if it
// is draining already.
func (s *Supervisor) successorDied(ctx actor.Context, w *ward, why error) {
	ctx.(actor.Supervisor).StopChildren(w.next)
	s.stopRolling(ctx, w, fmt.Sprintf("the successor did not come up: %v", why))
}
