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

// This file is how a Cluster finds what ran before it: the process of an earlier life of CONTROL,
// or of the actor whose place it takes. An error of the search is no answer: nothing is started
// while the previous process may live.

// search is what a Cluster has to find out.
type search struct {
	question  *question // the one that is open; nil: none
	successor bool      // about the successor first that a rolling restart of an earlier life left
	record    *record   // by which the process is looked for; nil: there is none
	ended     bool      // the process is dead, and only what it left behind is looked for
	leaving   bool      // a stop was ordered: the process is to end
	tries     int       // questions without an answer
}

// question is one search, by its address; a late answer to another one is dropped.
type question struct{ about proc.Mark }

// found is the answer.
type found struct {
	to      *question
	process proc.Process
	err     error
}

// IgnoreDeadLetterLogging: it may arrive after its cluster has stopped.
func (found) IgnoreDeadLetterLogging() {}

// recall begins to find out what runs.
func (c *Cluster) recall(ctx actor.Context) {
	c.enter(ctx, messages.ClusterAdopting, c.adopting)
	c.search, c.past.sweeping = search{successor: !c.past.settled}, "" // this search waits for that one
	c.seekNext(ctx)
}

// seekNext asks the next question.
func (c *Cluster) seekNext(ctx actor.Context) {
	c.abandon()
	mark, err := c.sought()
	if err == nil && mark == (proc.Mark{}) {
		err = &proc.GoneError{}
	}
	if err != nil {
		c.search.question = &question{mark}
		c.answered(ctx, found{to: c.search.question, err: err})
		return
	}
	c.find(ctx, mark)
}

// find looks for a process. The answer is found.
func (c *Cluster) find(ctx actor.Context, m proc.Mark) {
	send, q := world.Sender(ctx), &question{m}
	c.search.question = q
	c.cancel = c.W.Find(m, func(p proc.Process, err error) { send(found{q, p, err}) })
}

// sought is what to look for next; the zero Mark: nothing can have been left.
func (c *Cluster) sought() (m proc.Mark, err error) {
	name := recordName(c.plan.ID)
	switch {
	case c.past.settled:
		c.search.record = c.past.record
	default:
		if c.search.successor {
			name = successorName(c.plan.ID)
		}
		if c.search.record, err = c.readRecord(name); err != nil {
			return m, fmt.Errorf("record %s cannot be read: %w", name, err)
		}
	}
	if r := c.search.record; r != nil {
		m = r.Mark
	}
	if !c.past.settled && !c.search.successor {
		m.Owner = plan.OwnerMark(c.options.Owner, c.plan.ID) // also what no record tells of
	}
	return m, nil
}

// adopting waits for the answer.
func (c *Cluster) adopting(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case found:
		c.answered(ctx, m)
	case world.Timeout:
		c.doubt(ctx, errors.New("the successor that an earlier life of CONTROL started does not end, though it was sent SIGKILL"))
	case world.Recovered: // the answer may be lost to a panic of ours
		c.seekNext(ctx)
	case messages.StopRun:
		c.search.leaving = true
	default:
		c.always(ctx)
	}
}

// unknown repeats a search that found no answer, up to half a minute apart and without end. An
// order to stop is carried out once the answer is there.
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

// answered acts on the answer to the open question.
func (c *Cluster) answered(ctx actor.Context, m found) {
	if m.to != c.search.question {
		return
	}
	c.cancel = nil
	gone := &proc.GoneError{Exit: proc.Exit{Code: -1}}
	dead := errors.As(m.err, &gone) || errors.Is(m.err, errors.ErrUnsupported) // where no process can be found, none is waited for
	switch {
	case m.err != nil && !dead:
		c.doubt(ctx, m.err)
	case c.search.successor && dead:
		c.W.Remove(successorName(c.plan.ID), func(error) {}) // a record of the dead does no harm
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

// doubt waits for the next question, and reports once why the last one was not answered.
func (c *Cluster) doubt(ctx actor.Context, why error) {
	if c.State() != string(messages.ClusterUnknown) {
		c.enter(ctx, messages.ClusterUnknown, c.unknown)
		ctx.Send(c.addresses.Events, messages.ClusterInDoubt{Cluster: c.plan.ID, Shards: c.plan.Shards.String(), Err: why.Error()})
	}
	c.In(ctx, plan.SearchAgain(c.search.tries, c.W.Rand()))
	c.search.tries++
}

// adopt takes a process back: it is greeted as if it had just been started, or ended if that was
// ordered.
func (c *Cluster) adopt(ctx actor.Context, p proc.Process) {
	r := c.search.record
	c.past.settled, c.past.record = true, r
	c.life, c.started, c.served, c.changed = r.Life, c.W.FromWall(r.Started), r.Served, r.Spec != c.options.fingerprint(c.settings, c.plan)
	if now := time.Now(); c.started.After(now) { // the clock was ahead
		c.started = now
	}
	c.adopted = true
	c.own(ctx, p)
	if c.past.waiting {
		c.inherit(ctx)
	}
	if c.search.leaving {
		c.kill(ctx, syscall.SIGTERM, nil)
		return
	}
	c.meet(ctx)
}

// nothingLeft goes on where it is known that the previous process is dead.
func (c *Cluster) nothingLeft(ctx actor.Context, e proc.Exit) {
	s := c.search
	c.past.settled = true
	if s.record != nil {
		c.life = s.record.Life
	}
	switch {
	case c.past.sweeping != "":
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
			Err: "no record tells of its process" + whatWasLeft(e.Left)})
	}
	if s.record != nil {
		c.bury(ctx)
	}
	c.spawn(ctx)
}

// seek looks whether a process that was killed is there still.
func (c *Cluster) seek(ctx actor.Context) {
	c.find(ctx, c.mark(c.process.Mark()))
}

// lost takes the answer to that.
func (c *Cluster) lost(ctx actor.Context, m found) {
	var gone *proc.GoneError
	switch {
	case m.to != c.search.question:
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

// whatWasLeft is what became of processes that had left the group of a dead one.
func whatWasLeft(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", and of its processes %d ran on in the background and were ended", n)
}
