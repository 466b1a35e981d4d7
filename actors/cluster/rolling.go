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
	at    *entry // nil: none is under way
	done  int
	turn  int // number of the current cluster, which its timer carries
}

// rollLimit is the time for one cluster, from its successor's start until it serves, beyond the
// time for its start.
const rollLimit = 2 * time.Minute

// rollLate reports that a cluster's turn took too long.
type rollLate struct {
	messages.MayBeLost
	turn int
}

// startRolling queues every serving cluster.
func (s *Supervisor) startRolling(ctx actor.Context) {
	if s.roll.at != nil || s.draining {
		ctx.Send(s.addresses.Events, messages.OrderRefused{Order: messages.OrderRolling, Err: "one is under way, or the machine is stopping"})
		return
	}
	s.roll = rolling{turn: s.roll.turn}
	for _, e := range s.inOrder() {
		if e.state == messages.ClusterServing {
			s.roll.queue = append(s.roll.queue, e.ID)
		}
	}
	ctx.Send(s.addresses.Events, messages.RollingRestartMoved{State: "started", Left: len(s.roll.queue)})
	s.rollOn(ctx)
}

// rollOn starts the successor of the next cluster.
func (s *Supervisor) rollOn(ctx actor.Context) {
	s.roll.at = nil
	for len(s.roll.queue) > 0 {
		e := s.entries[s.roll.queue[0]]
		s.roll.queue = s.roll.queue[1:]
		if e == nil || e.ending || e.state != messages.ClusterServing {
			continue
		}
		s.roll.at = e
		s.roll.turn++
		limit := rollLimit + s.options.HelloTimeout
		if s.options.asksItself() {
			limit += s.options.ReadyTimeout
			e.successor = s.spawnActor(ctx, e, true)
		} else {
			limit += plan.StockStart(e.Shards) + s.options.Ready.After
			e.ending, e.then = true, startAgain
			ctx.Send(e.pid, messages.StopRun{})
		}
		send, late := world.Sender(ctx), rollLate{turn: s.roll.turn}
		s.w.After(limit, func() { send(late) })
		return
	}
	ctx.Send(s.addresses.Events, messages.RollingRestartMoved{State: "done", Done: s.roll.done})
}

// booted drains the old process: the successor's socket is open.
func (s *Supervisor) booted(ctx actor.Context, m messages.Booted) {
	if e := s.entries[m.Cluster]; e != nil && e.pid != nil && !e.ending && same(e.successor, ctx.Sender()) {
		e.ending, e.then = true, startAgain // restart, in case the successor dies
		ctx.Send(e.pid, messages.StopRun{})
	}
}

// promote makes the successor the cluster's actor once the old one is gone.
func (s *Supervisor) promote(ctx actor.Context, e *entry) {
	e.pid, e.successor = e.successor, nil
	e.ending, e.ready, e.out, e.osPID = false, 0, 0, 0
	e.state = messages.ClusterGreeting
	ctx.Send(e.pid, messages.Proceed{})
}

// rolled goes on with the next cluster if this one had its turn and serves again.
func (s *Supervisor) rolled(ctx actor.Context, e *entry) {
	if s.roll.at == e && e.successor == nil && !e.ending && e.state == messages.ClusterServing {
		s.roll.done++
		s.rollOn(ctx)
	}
}

// stopRolling ends a rolling restart at the cluster that has its turn.
func (s *Supervisor) stopRolling(ctx actor.Context, e *entry, why string) {
	if s.roll.at != e || e == nil {
		return
	}
	ctx.Send(s.addresses.Events, messages.RollingRestartMoved{State: "stopped", Cluster: &e.ID, Done: s.roll.done, Left: len(s.roll.queue), Err: why})
	s.roll = rolling{turn: s.roll.turn}
	if e.successor != nil && !e.ending {
		ctx.Send(e.successor, messages.StopRun{})
	}
}

// successorDied ends the rolling restart. The old process keeps serving, or is started again if it
// is draining already.
func (s *Supervisor) successorDied(ctx actor.Context, e *entry, why error) {
	ctx.(actor.Supervisor).StopChildren(e.successor)
	s.stopRolling(ctx, e, fmt.Sprintf("the successor did not come up: %v", why))
}
