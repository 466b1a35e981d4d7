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

// This file keeps the unanswered requests: the requester, the answers, and the errors.

// request is one request under way.
type request struct {
	id        string // the event_id that the targets got; "" if there are none
	event     []byte // the requester's event_id
	from      *Conn
	op        messages.IPCOp
	t         string
	serialize int
	due       time.Time
	within    time.Duration // from the request, or from the end of a suspension
	renewed   bool          // due was set again, which is done once: every request has a deadline
	targets   []target
	waiting   int // targets without an answer
	bytes     int // of results
	failed    []codec.TargetError
	settled   bool
	failFast  bool // the first failure is the answer

	eventRoom [40]byte  // the length of a snowflake
	room      [4]target // for few targets
}

// target is one cluster that was asked.
type target struct {
	conn    *Conn
	waiting bool
	success bool
	result  []byte // of a target that answered; nil: undefined
}

// request passes a request on to each of its targets, under an event_id of CONTROL.
func (r *Router) request(ctx actor.Context, from *Conn, p *codec.Parcel) {
	if why := r.objection(from, p); why != "" {
		r.refuse(ctx, from, p, why)
		return
	}
	within := plan.AnswerWithin(from.Stock, p.T, p.TimeoutMS.Duration())
	now := time.Now()
	a := &request{from: from, op: p.Op, t: p.T, serialize: p.Serialize, within: within, due: now.Add(within), failFast: p.FailFast}
	a.event = append(a.eventRoom[:0], p.Event()...)
	to, failed := r.pick(p, from)
	a.failed = failed
	if a.failFast && len(failed) > 0 {
		to = nil // no target is asked
	}
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
		a.targets = append(a.targets, target{conn: l, waiting: true})
		a.waiting++
	}
	if a.waiting > 0 {
		r.requests[a.id] = a
	}
	from.asking++
	r.settle(ctx, a)
	if !a.settled {
		r.arm(ctx, a.due)
	}
}

// objection returns why a request is refused as a whole, or "".
func (r *Router) objection(from *Conn, p *codec.Parcel) string {
	switch {
	case p.Wrong != nil:
		return p.Wrong.Error()
	case p.T == messages.TBroadcastEval && !r.options.Eval:
		return "BROADCAST_EVAL is switched off on this machine (ipc.eval)"
	case from.asking >= requestsMax:
		return fmt.Sprintf("%d requests of this cluster are unanswered: want fewer at a time", from.asking)
	}
	return ""
}

// unanswerable returns why a target cannot get a request, or "". A stock bot has no handlers, and
// dies of a cache operation that it does not know (PROTOCOL A1).
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

// refuse answers a request that is not passed on. A stock bot gets no answer to a message that has
// none.
func (r *Router) refuse(ctx actor.Context, from *Conn, p *codec.Parcel, why string) {
	oneWay := p.T == messages.TMessage || p.T == messages.TPresenceUpdate
	switch {
	case p.Op == messages.IPCCacheOperate:
		_ = r.offer(ctx, from, codec.Reply{Op: p.Op, Event: p.Event(), Success: new(false), Error: why}.Encode())
	case !oneWay || !from.Stock:
		_ = r.offer(ctx, from, codec.Refusal(p.T, p.Event(), why))
	}
}

// answered takes an answer. It drops one that came too late or whose request is settled.
func (r *Router) answered(ctx actor.Context, from *Conn, p *codec.Parcel) {
	a := r.requests[string(p.Event())]
	if a == nil || p.T != a.t || p.Op != a.op && p.Op != messages.IPCError {
		return
	}
	i := slices.IndexFunc(a.targets, func(t target) bool { return t.conn == from && t.waiting })
	if i < 0 {
		return
	}
	t := &a.targets[i]
	whole := a.t == messages.TGuildMembers || p.Op == messages.IPCError && (a.from.Stock || a.failFast)
	switch {
	case whole: // the only answer, or the first failure, which ends such a request: passed back unchanged
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
		t.waiting, t.success, t.result = false, p.Success, slices.Clone(p.Result())
		a.waiting--
		a.bytes += len(t.result)
		r.held += len(t.result)
	}
	r.settle(ctx, a)
}

// errorText returns the text of a failed answer.
func errorText(result []byte) string {
	var e messages.FailureError
	if json.Unmarshal(result, &e) != nil || e.Message == "" {
		return fmt.Sprintf("it failed: %.200s", result)
	}
	return fmt.Sprintf("%.1000s", e.Message)
}

// fail marks a target as failed.
func (r *Router) fail(a *request, t *target, why string) {
	t.waiting = false
	a.waiting--
	a.failed = append(a.failed, codec.TargetError{Cluster: t.conn.Cluster, Err: why})
	t.conn = nil
}

// settle answers a request once no target is waited for, or one has failed that must not.
func (r *Router) settle(ctx actor.Context, a *request) {
	if a.settled || a.waiting > 0 && !(a.failFast && len(a.failed) > 0) {
		return
	}
	err := r.offer(ctx, a.from, r.answer(a))
	if errors.Is(err, transport.ErrTooLarge) { // thousands of errors
		_ = r.offer(ctx, a.from, codec.Refusal(a.t, a.event, err.Error()))
	}
	r.forget(a)
}

// forget removes a request.
func (r *Router) forget(a *request) {
	if a.settled {
		return
	}
	a.settled = true
	a.from.asking--
	r.held -= a.bytes
	delete(r.requests, a.id)
}

// answer returns the one answer made of all. A stock requester gets upstream's shape: the results
// of the targets that answered, or an error if all targets failed.
func (r *Router) answer(a *request) []byte {
	results, clusters, success := r.results[:0], r.clusters[:0], false
	defer func() {
		clear(results)
		r.results, r.clusters = results, clusters
	}()
	for _, t := range a.targets {
		if t.conn != nil && !t.waiting && (a.op != messages.IPCCacheOperate || t.success) {
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

// arm sets the timeout to at, unless it is due sooner.
func (r *Router) arm(ctx actor.Context, at time.Time) {
	if r.timeoutAt.IsZero() || at.Before(r.timeoutAt) {
		r.timeoutAt = at
		r.In(ctx, time.Until(at))
	}
}

// due settles the requests that are past their deadline. A timer that is late by more than
// DeepSleep means that this machine was suspended: answers may be in the mailbox, so every request
// gets its time again, once.
func (r *Router) due(ctx actor.Context, late time.Duration) {
	now := time.Now()
	r.timeoutAt = time.Time{}
	var next time.Time
	sooner := func(at time.Time) {
		if next.IsZero() || at.Before(next) {
			next = at
		}
	}
	for _, id := range slices.Sorted(maps.Keys(r.requests)) {
		a := r.requests[id]
		if late > DeepSleep && !a.renewed {
			a.due, a.renewed = now.Add(a.within), true
		}
		if a.due.After(now) {
			sooner(a.due)
			continue
		}
		for i := range a.targets {
			if t := &a.targets[i]; t.waiting {
				r.fail(a, t, "it did not answer in time")
			}
		}
		r.settle(ctx, a)
	}
	for _, id := range slices.Sorted(maps.Keys(r.reachable)) {
		l := r.reachable[id]
		if r.reportOverflow(ctx, l, nil); l.refused > 0 {
			sooner(l.reportAt)
		}
	}
	if !next.IsZero() {
		r.arm(ctx, next)
	}
}
