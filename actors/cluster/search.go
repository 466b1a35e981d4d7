package cluster

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/proc"
)

// This file finds the previous process of a cluster, of an earlier run of CONTROL or of the actor
// that this one replaces. An error of the search is no answer: nothing is started while the
// previous process may run.

// search is the state of the search for a process.
type search struct {
	query     *query  // the open one; nil: none
	successor bool    // about a successor that a rolling restart of an earlier run left, which comes first
	record    *record // by which the process is searched; nil: none
	ended     bool    // the process is dead: only what it left behind is searched
	leaving   bool    // a stop was ordered: the process has to end
	unread    error   // why the record cannot be read; the owner's mark is searched then
	tries     int     // unanswered questions
}

// query identifies one search by its address, so that late answers to others are dropped.
type query struct{ about proc.Mark }

// found is the answer.
type found struct {
	messages.MayBeLost
	to      *query
	process proc.Process
	err     error
}

// searchPrevious begins the search for a previous process.
func (c *Cluster) searchPrevious(ctx actor.Context) {
	c.enter(ctx, messages.ClusterAdopting, c.adopting)
	c.search, c.handover.sweeping = search{successor: !c.handover.settled}, "" // this search includes that one
	c.seekNext(ctx)
}

// seekNext searches by the next Mark.
func (c *Cluster) seekNext(ctx actor.Context) {
	c.abandon()
	mark, err := c.nextMark()
	if err == nil && mark == (proc.Mark{}) {
		err = &proc.GoneError{}
	}
	if err != nil {
		c.search.query = &query{mark}
		c.answered(ctx, found{to: c.search.query, err: err})
		return
	}
	c.find(ctx, mark)
}

// find looks for a process. The answer is found.
func (c *Cluster) find(ctx actor.Context, m proc.Mark) {
	send, q := world.Sender(ctx), &query{m}
	c.search.query = q
	c.cancel = c.W.Find(m, func(p proc.Process, err error) { send(found{to: q, process: p, err: err}) })
}

// nextMark returns the Mark to search for next; the zero Mark: nothing can be left. Where a record
// cannot be read, a process that an ordered stop has to end is searched by its owner alone.
func (c *Cluster) nextMark() (m proc.Mark, err error) {
	name := recordName(c.plan.ID)
	switch {
	case c.handover.settled:
		c.search.record = c.handover.record
	default:
		if c.search.successor {
			name = successorName(c.plan.ID)
		}
		if c.search.record, err = c.readRecord(name); err != nil {
			err = fmt.Errorf("record %s cannot be read: %w", name, err)
			if !c.search.leaving {
				return m, err
			}
			own := plan.OwnerMark(c.options.Owner, c.plan.ID)
			c.search.unread = err
			return proc.Mark{Env: own, Owner: own}, nil // whatever has it is ended
		}
		c.search.unread = nil
	}
	if r := c.search.record; r != nil {
		m = r.Mark
	}
	if !c.handover.settled && !c.search.successor {
		m.Owner = plan.OwnerMark(c.options.Owner, c.plan.ID) // also processes without a record
	}
	return m, nil
}

// adopting waits for the answer.
func (c *Cluster) adopting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case found:
		c.answered(ctx, m)
	case world.Timeout:
		c.retrySearch(ctx, errors.New("the successor that an earlier run of CONTROL started does not end after SIGKILL"))
	case world.Recovered: // the panic may have lost the answer
		c.seekNext(ctx)
	case messages.StopRun:
		c.search.leaving = true
	default:
		c.always(ctx)
	}
}

// unknown repeats a search without an answer, up to half a minute apart and without end. An order
// to stop is carried out once there is an answer.
func (c *Cluster) unknown(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case found:
		c.answered(ctx, m)
	case world.Timeout, world.Recovered:
		c.seekNext(ctx)
	case messages.StopRun:
		c.search.leaving, c.search.tries, c.why = true, 0, nil
		c.seekNext(ctx)
	default:
		c.always(ctx)
	}
}

// answered acts on the answer to the open query.
func (c *Cluster) answered(ctx actor.Context, m found) {
	if m.to != c.search.query {
		return
	}
	c.cancel = nil
	gone := &proc.GoneError{Exit: proc.Exit{Code: -1}}
	dead := errors.As(m.err, &gone) || errors.Is(m.err, errors.ErrUnsupported) // without a way to find processes none is waited for
	switch {
	case m.err != nil && !dead:
		c.retrySearch(ctx, m.err)
	case c.search.unread != nil && dead && gone.Exit.Left == 0:
		c.retrySearch(ctx, c.search.unread) // the process may hide its environment
	case c.search.unread != nil && dead:
		c.nothingLeft(ctx, gone.Exit)
	case c.search.unread != nil:
		own := m.process.Mark()
		own.Env = m.to.about.Env
		c.search.record = &record{Mark: own, Started: c.W.AtWall(time.Now())}
		c.adopt(ctx, m.process)
	case c.search.successor && dead:
		c.W.Remove(successorName(c.plan.ID), func(error) {}) // the record of a dead process is harmless
		c.search.successor = false
		c.seekNext(ctx)
	case c.search.successor:
		send := world.Sender(ctx)
		m.process.Wait(func(e proc.Exit) { send(found{to: m.to, err: &proc.GoneError{Exit: e}}) })
		m.process.Signal(syscall.SIGKILL)
		c.In(ctx, c.options.KillGrace)
	case dead:
		c.nothingLeft(ctx, gone.Exit)
	default:
		c.adopt(ctx, m.process)
	}
}

// retrySearch sets the timer of the next search, and reports once why the last one has no answer.
func (c *Cluster) retrySearch(ctx actor.Context, why error) {
	if c.State() != string(messages.ClusterUnknown) {
		c.enter(ctx, messages.ClusterUnknown, c.unknown)
		ctx.Send(c.addresses.Events, messages.ClusterInDoubt{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), Err: why.Error()})
	}
	c.In(ctx, plan.SearchAgain(c.search.tries, c.W.Rand()))
	c.search.tries++
}

// adopt adopts a running process: it gets HELLO as after a start, or is ended if that was ordered.
func (c *Cluster) adopt(ctx actor.Context, p proc.Process) {
	r := c.search.record
	c.handover.settled, c.handover.record = true, r
	c.run, c.started, c.served, c.changed = r.Run, c.W.FromWall(r.Started), r.Served, r.Spec != c.options.fingerprint(c.settings, c.plan)
	if now := time.Now(); c.started.After(now) { // the clock was ahead
		c.started = now
	}
	c.adopted = true
	c.own(ctx, p)
	if c.handover.waiting {
		c.inherit(ctx)
	}
	if c.search.leaving {
		c.kill(ctx, syscall.SIGTERM, nil)
		return
	}
	c.meet(ctx)
}

// nothingLeft goes on once the previous process is known dead.
func (c *Cluster) nothingLeft(ctx actor.Context, e proc.Exit) {
	s := c.search
	c.handover.settled = true
	if s.record != nil {
		c.run = s.record.Run
	}
	switch {
	case c.handover.sweeping != "":
		c.follow(ctx, e.Left)
		return
	case s.ended && c.why != nil:
		c.fail(ctx, c.why)
		return
	case s.ended || s.leaving:
		c.stopped(ctx)
		return
	case s.record != nil:
		ctx.Send(c.addresses.Events, messages.ClusterDied{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), Cause: messages.CauseExited,
			Err: "the process ended while CONTROL was away" + whatWasLeft(e.Left), Exit: e.String()})
	case e.Left > 0:
		ctx.Send(c.addresses.Events, messages.ClusterDied{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), Cause: messages.CauseExited,
			Err: "its process has no record" + whatWasLeft(e.Left)})
	}
	if s.record != nil {
		c.cleanUp(ctx)
	}
	if other := len(c.options.Runner) == 0 || s.record != nil && s.record.Spec != c.options.fingerprint(c.settings, c.plan); other && c.leavesOrphan() {
		c.endOrphan(ctx, c.spawn)
		return
	}
	c.spawn(ctx)
}

// searchKilled searches for a process that was killed.
func (c *Cluster) searchKilled(ctx actor.Context) {
	c.find(ctx, c.mark(c.process.Mark()))
}

// searchedKilled takes the answer to searchKilled.
func (c *Cluster) searchedKilled(ctx actor.Context, m found) {
	var gone *proc.GoneError
	switch {
	case m.to != c.search.query:
	case errors.As(m.err, &gone):
		c.cancel = nil
		c.ended(ctx, gone.Exit)
	default: // it is there: its death is awaited already
		c.abandon()
	}
}

// unordered describes the end of a process that was not ordered.
func unordered(e proc.Exit) string {
	if e.Code == 0 && e.Left > 0 {
		return "the bot puts itself in the background, where it cannot be supervised: its process ended" + whatWasLeft(e.Left) + "; run it in the foreground"
	}
	return e.Ending() + whatWasLeft(e.Left)
}

// whatWasLeft describes processes that had left the group of a dead one.
func whatWasLeft(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and of its processes %d ran on in the background and were ended", n)
}
