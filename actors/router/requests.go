package router

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
)

// This file is what the Router knows of requests: who asked, who has answered, and what became of the rest.

// ask is one request under way.
type ask struct {
	id        string // the event_id that the targets know; "" where there are none
	event     []byte // the asker's
	from      *Conn
	op        messages.IPCOp
	t         string
	serialize int
	due       time.Time
	within    time.Duration // from when it was asked, or from when we woke
	anew      bool          // it was set anew, which is done once: a request has a deadline, whatever happens
	targets   []target
	waits     int // of targets
	bytes     int // of results
	failed    []codec.TargetError
	over      bool

	eventRoom [40]byte  // as long as snowflakes are
	room      [4]target // for targets of few
}

// target is one cluster that was asked.
type target struct {
	conn    *Conn
	waits   bool
	success bool
	result  []byte // of one that has answered; nil: undefined
}

// ask passes a request on to everyone it is for, under an event_id of our own.
func (r *Router) ask(ctx actor.Context, from *Conn, p *codec.Parcel) {
	if why := r.objection(from, p); why != "" {
		r.refuse(ctx, from, p, why)
		return
	}
	within := plan.AnswerWithin(from.Stock, p.T, p.TimeoutMS.Duration())
	now := time.Now()
	a := &ask{from: from, op: p.Op, t: p.T, serialize: p.Serialize, within: within, due: now.Add(within)}
	a.event = append(a.eventRoom[:0], p.Event()...)
	to, failed := r.pick(p, from)
	a.failed = failed
	a.targets = slices.Grow(a.room[:0], len(to))
	if len(to) > 0 {
		a.id = string(r.mint.New(now, managerID))
		p.SetEvent(a.id)
	}
	for _, l := range to {
		why := unanswerable(l, p)
		if why == "" {
			if err := r.offer(ctx, l, p.Frame()); err != nil {
				why = err.Error()
			}
		}
		if why != "" {
			a.failed = append(a.failed, codec.TargetError{Cluster: l.Cluster, Err: why})
			continue
		}
		a.targets = append(a.targets, target{conn: l, waits: true})
		a.waits++
	}
	if a.waits > 0 {
		r.asks[a.id] = a
	}
	from.asking++
	r.settle(ctx, a)
	if !a.over {
		r.arm(ctx, a.due)
	}
}

// objection is why a request is refused as a whole; "": it is not.
func (r *Router) objection(from *Conn, p *codec.Parcel) string {
	switch {
	case p.Wrong != nil:
		return p.Wrong.Error()
	case p.T == messages.TBroadcastEval && !r.options.Eval:
		return "BROADCAST_EVAL is switched off on this machine (ipc.eval)"
	case from.asking >= asksMax:
		return fmt.Sprintf("%d requests of this cluster are not answered yet: want fewer at a time", from.asking)
	}
	return ""
}

// unanswerable is why a cluster cannot be asked this: a stock bot dies of a cache operation that it
// does not know (PROTOCOL A1), and has no handlers.
func unanswerable(l *Conn, p *codec.Parcel) string {
	switch {
	case !l.Stock:
	case p.T == messages.TRequest:
		return "it handles no requests: it is not on an SDK of ours"
	case p.Op == messages.IPCCacheOperate && (p.CacheOp < 0 || p.CacheOp > messages.CacheOpMax):
		return fmt.Sprintf("cache operation %d would end it: want 0 to %d", p.CacheOp, messages.CacheOpMax)
	}
	return ""
}

// refuse answers a request that goes nowhere. A stock sender of what nobody answers waits for nothing, and hears nothing.
func (r *Router) refuse(ctx actor.Context, from *Conn, p *codec.Parcel, why string) {
	oneWay := p.T == messages.TMessage || p.T == messages.TPresenceUpdate
	switch {
	case p.Op == messages.IPCCacheOperate:
		_ = r.offer(ctx, from, codec.Reply{Op: p.Op, Event: p.Event(), Success: new(false), Error: why}.Encode())
	case !oneWay || !from.Stock:
		_ = r.offer(ctx, from, codec.Refusal(p.T, p.Event(), why))
	}
}

// answered takes an answer. One that nobody waits for came too late, or to an ask that was settled without it.
func (r *Router) answered(ctx actor.Context, from *Conn, p *codec.Parcel) {
	a := r.asks[string(p.Event())]
	if a == nil || p.T != a.t || p.Op != a.op && p.Op != messages.IPCError {
		return
	}
	i := slices.IndexFunc(a.targets, func(t target) bool { return t.conn == from && t.waits })
	if i < 0 {
		return
	}
	t := &a.targets[i]
	whole := a.t == messages.TGuildMembers || p.Op == messages.IPCError && a.from.Stock
	switch {
	case whole: // the only answer there is, or upstream's first failure, which ends the rest: it goes back as it came
		p.SetEvent(string(a.event))
		_ = r.offer(ctx, a.from, p.Frame())
		r.forget(a)
		return
	case p.Op == messages.IPCError:
		r.fail(a, t, errorText(p.Result()))
	case a.bytes+len(p.Result()) > resultsMax-resultsRoom:
		r.fail(a, t, fmt.Sprintf("its result of %d bytes is too much: those of one request have at most %d together", len(p.Result()), resultsMax-resultsRoom))
	case r.held+len(p.Frame()) > waitMax:
		r.fail(a, t, fmt.Sprintf("its result of %d bytes finds no room: %d bytes of results wait in CONTROL", len(p.Result()), r.held))
	default:
		t.waits, t.success, t.result = false, p.Success, slices.Clone(p.Result())
		a.waits--
		a.bytes += len(t.result)
		r.held += len(t.result)
	}
	r.settle(ctx, a)
}

// errorText is what a failed answer says.
func errorText(result []byte) string {
	var e messages.FailureError
	if json.Unmarshal(result, &e) != nil || e.Message == "" {
		return fmt.Sprintf("it failed: %.200s", result)
	}
	return fmt.Sprintf("%.1000s", e.Message)
}

// fail takes note that a target will not answer.
func (r *Router) fail(a *ask, t *target, why string) {
	t.waits = false
	a.waits--
	a.failed = append(a.failed, codec.TargetError{Cluster: t.conn.Cluster, Err: why})
	t.conn = nil
}

// settle answers a request that waits for nobody any more.
func (r *Router) settle(ctx actor.Context, a *ask) {
	if a.waits > 0 || a.over {
		return
	}
	err := r.offer(ctx, a.from, r.answer(a))
	if errors.Is(err, transport.ErrTooLarge) { // errors of thousands
		_ = r.offer(ctx, a.from, codec.Refusal(a.t, a.event, err.Error()))
	}
	r.forget(a)
}

// forget takes an ask off the books.
func (r *Router) forget(a *ask) {
	if a.over {
		return
	}
	a.over = true
	a.from.asking--
	r.held -= a.bytes
	delete(r.asks, a.id)
}

// answer is the one answer made of all. A stock asker gets upstream's shape: the results of those that answered; and where nobody did though somebody should have, an error.
func (r *Router) answer(a *ask) []byte {
	results, clusters, success := r.results[:0], r.clusters[:0], false
	defer func() {
		clear(results)
		r.results, r.clusters = results, clusters
	}()
	for _, t := range a.targets {
		if t.conn != nil && (a.op != messages.IPCCacheOperate || t.success) {
			results, clusters = append(results, t.result), append(clusters, t.conn.Cluster)
		}
		success = success || t.success
	}
	reply := codec.Reply{Op: a.op, T: a.t, Event: a.event}
	switch {
	case a.op == messages.IPCCacheOperate:
		var odd []int
		reply.Success = new(success)
		reply.Result, odd = codec.Merge(a.serialize, results)
		for _, i := range odd {
			a.failed = append(a.failed, codec.TargetError{Cluster: clusters[i], Err: fmt.Sprintf("its result %.100s is none of serialize mode %d", results[i], a.serialize)})
		}
	case a.t == messages.TGuildMembers || a.from.Stock && len(results) == 0 && len(a.failed) > 0:
		why := "there is no such shard"
		if len(a.failed) > 0 {
			why = fmt.Sprintf("cluster %s: %s", a.failed[0].Cluster, a.failed[0].Err)
		}
		return codec.Refusal(a.t, a.event, why)
	default:
		reply.Results = results
		if !a.from.Stock {
			reply.Clusters = clusters
		}
	}
	if !a.from.Stock {
		reply.Errors = a.failed
	}
	return reply.Encode()
}

// arm sees to a timeout at that time, or sooner.
func (r *Router) arm(ctx actor.Context, at time.Time) {
	if r.next.IsZero() || at.Before(r.next) {
		r.next = at
		r.In(ctx, time.Until(at))
	}
}

// due settles what has waited long enough. Where the timer itself is late, by that much, we slept: the answers may lie in our mailbox, and every ask gets its time anew.
func (r *Router) due(ctx actor.Context, late time.Duration) {
	now := time.Now()
	r.next = time.Time{}
	var next time.Time
	sooner := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.asks)) {
		a := r.asks[id]
		if late > DeepSleep && !a.anew {
			a.due, a.anew = now.Add(a.within), true
		}
		if a.due.After(now) {
			sooner(a.due)
			continue
		}
		for i := range a.targets {
			if t := &a.targets[i]; t.waits {
				r.fail(a, t, "it did not answer in time")
			}
		}
		r.settle(ctx, a)
	}
	for _, id := range slices.Sorted(maps.Keys(r.seats)) {
		l := r.seats[id]
		if r.tellOverflow(ctx, l, nil); l.refused > 0 {
			sooner(l.sayAt)
		}
	}
	if !next.IsZero() {
		r.arm(ctx, next)
	}
}
