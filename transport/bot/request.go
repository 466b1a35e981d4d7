package bot

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/ipc"
)

const (
	askFor = 10 * time.Second // where the context of Ask has no deadline
	askMax = 5 * time.Minute  // CONTROL waits no longer
	// that CONTROL's own answer may take beyond the request's deadline
	askSlack = 2 * time.Second
	// that CONTROL answers before a context ends, or a tenth of the rest: the answers so far must
	// not be lost
	askEarly    = 250 * time.Millisecond
	handlersMax = 64            // requests handled at a time
	ownNames    = "discluster." // prefix of the names of this package's handlers
	statsName   = ownNames + "stats"
)

// Request is a request of another cluster.
type Request struct {
	Name string
	From messages.ClusterID
	Data json.RawMessage // null without data
}

// Handler answers a request. Its context ends when the requester stops waiting, or the cluster
// ends. The value is sent as JSON. The requester gets an error, or a panic, which is logged, as the
// error of this cluster.
type Handler func(ctx context.Context, r Request) (any, error)

// Answer is the answer of one cluster to a request: a value, or why there is none. The cluster did
// not run, still started, was too slow, or its handler failed.
type Answer[T any] struct {
	Cluster messages.ClusterID
	Value   T
	Err     error
}

// pending is a request of this cluster that is not answered.
type pending struct {
	conn   *conn // that it was sent on
	answer chan ipc.Delivery
	lost   chan struct{} // closed where no answer can come any more
}

// Ask calls the handler with this name in clusters, and waits for all of them: until shortly before
// the deadline of ctx, or 10 s. The answers are in the order of the clusters; one that is dead or
// slow costs its own answer only. An error is a request that CONTROL did not answer at all: it is
// away (ErrAway), or ctx ended. T is json.RawMessage for raw answers.
func Ask[T any](ctx context.Context, c *Cluster, to Targets, name string, data any) ([]Answer[T], error) {
	d, err := c.request(ctx, to, name, data)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", name, err)
	}
	if d.Op == messages.IPCError {
		return nil, fmt.Errorf("ask %s: CONTROL refused: %s", name, refusalText(d.Result))
	}
	failed, err := targetErrors(d.Errors)
	if err != nil {
		return nil, fmt.Errorf("ask %s: read the answer: %w", name, err)
	}
	answers, err := values[T](d, len(failed))
	if err != nil {
		return nil, fmt.Errorf("ask %s: read the answer: %w", name, err)
	}
	for _, e := range failed {
		answers = append(answers, Answer[T]{Cluster: e.Cluster, Err: errors.New(e.Err)})
	}
	slices.SortStableFunc(answers, func(a, b Answer[T]) int { return cmp.Compare(a.Cluster, b.Cluster) })
	return answers, nil
}

// values reads the results of an answer, with room for more.
func values[T any](d ipc.Delivery, more int) ([]Answer[T], error) {
	answers := make([]Answer[T], len(d.Clusters), len(d.Clusters)+more)
	for i, id := range d.Clusters {
		answers[i].Cluster = messages.ClusterID(id)
	}
	var all []T
	if json.Unmarshal(d.Result, &all) == nil && len(all) == len(answers) {
		for i, value := range all {
			answers[i].Value = value
		}
		return answers, nil
	}
	var each []json.RawMessage // a value that is not a T costs its own answer only
	if err := json.Unmarshal(d.Result, &each); err != nil || len(each) != len(answers) {
		return nil, fmt.Errorf("%d results of %d clusters: %w", len(each), len(answers), err)
	}
	for i, raw := range each {
		if err := json.Unmarshal(raw, &answers[i].Value); err != nil {
			answers[i].Err = fmt.Errorf("its answer is not a %T: %w", answers[i].Value, err)
		}
	}
	return answers, nil
}

// Stats asks every cluster for the state of its shards: states, latencies, guilds and events, as
// they are reported to CONTROL.
func (c *Cluster) Stats(ctx context.Context) ([]Answer[[]messages.ShardStatus], error) {
	return Ask[[]messages.ShardStatus](ctx, c, AllClusters(), statsName, nil)
}

// request sends a request of this name and waits for the answer. mu is free.
func (c *Cluster) request(ctx context.Context, to Targets, name string, data any) (d ipc.Delivery, err error) {
	return c.ask(ctx, to, ipc.Talk{T: messages.TRequest, Name: name}, data)
}

// ask sends a REQUEST or a BROADCAST_EVAL and waits for the answer. mu is free.
func (c *Cluster) ask(ctx context.Context, to Targets, talk ipc.Talk, data any) (d ipc.Delivery, err error) {
	within := askFor
	if at, limited := ctx.Deadline(); limited {
		left := time.Until(at)
		within = max(min(left-min(left/10, askEarly), askMax), time.Millisecond)
	}
	if err := ctx.Err(); err != nil {
		return d, err
	}
	a := &pending{answer: make(chan ipc.Delivery, 1), lost: make(chan struct{})}
	c.mu.Lock()
	event := c.event()
	c.mu.Unlock()
	talk.Event, talk.From, talk.TimeoutMS = event, c.env.cluster, messages.Millis(within)
	talk.Clusters, talk.Shards = c.address(to)
	err = talk.Write(data, func(frame []byte) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		err := c.write(frame)
		if err == nil {
			a.conn = c.conn
			c.requests[event] = a
		}
		return err
	})
	if err != nil {
		return d, err
	}
	late := time.NewTimer(within + askSlack)
	defer late.Stop()
	select {
	case d := <-a.answer:
		return d, nil
	case <-a.lost:
		return d, ErrAway
	case <-late.C:
		err = fmt.Errorf("CONTROL did not answer within %s", within+askSlack)
	case <-ctx.Done():
		err = ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.requests, event)
	return d, err
}

// answered handles CONTROL's answer to a request of this cluster.
func (c *Cluster) answered(d ipc.Delivery) {
	if a := c.requests[d.Event]; a != nil {
		delete(c.requests, d.Event)
		a.answer <- d
	}
}

// loseRequests ends the requests that were sent on l: no answer comes.
func (c *Cluster) loseRequests(l *conn) {
	for event, a := range c.requests {
		if a.conn == l {
			delete(c.requests, event)
			close(a.lost)
		}
	}
	c.losePassed(l)
}

// handler returns the handler of a name, nil where there is none.
func (c *Cluster) handler(name string) Handler {
	if name == statsName {
		return c.stats
	}
	return c.opt.handlers[name]
}

// asked handles a request of another cluster.
func (c *Cluster) asked(d ipc.Delivery) {
	handle := c.handler(d.Name)
	switch {
	case handle == nil:
		c.answerError(d.Event, fmt.Errorf("no handler has the name %q", d.Name))
		return
	case c.handling == handlersMax:
		c.answerError(d.Event, fmt.Errorf("%d requests are being handled already", c.handling))
		return
	}
	c.handling++
	within := d.TimeoutMS.Duration()
	if within <= 0 {
		within = askFor
	}
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		stop := context.AfterFunc(c.ctx, cancel)
		defer stop()
		value, err := c.handle(ctx, handle, Request{d.Name, d.From, d.Data})
		c.mu.Lock()
		c.handling--
		c.mu.Unlock()
		c.answer(d.Event, value, err)
	}()
}

// handle runs a handler, whose panic costs its own answer alone. mu is free.
func (c *Cluster) handle(ctx context.Context, handle Handler, r Request) (value any, err error) {
	defer func() {
		if p := recover(); p != nil {
			c.opt.log.Error("request handler panicked", "name", r.Name, "panic", p, "stack", string(debug.Stack()))
			value, err = nil, fmt.Errorf("its handler panicked: %v", p)
		}
	}()
	return handle(ctx, r)
}

// answer answers a request. A value that cannot be sent is an error of this cluster. mu is free.
func (c *Cluster) answer(event messages.Snowflake, value any, err error) {
	if err == nil {
		err = ipc.Talk{T: messages.TRequest, Event: event}.Write(value, c.pass)
		if err == nil || errors.Is(err, ErrAway) || errors.Is(err, ErrStopping) {
			return
		}
		err = fmt.Errorf("its answer cannot be sent: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answerError(event, err)
}

// answerError answers a request with an error.
func (c *Cluster) answerError(event messages.Snowflake, why error) {
	text := why.Error()
	if token := c.Token().Reveal(); token != "" { // it may be part of a library's error
		text = strings.ReplaceAll(text, token, c.Token().String())
	}
	err := c.write(ipc.Refusal(messages.TRequest, []byte(event), text))
	if err != nil && !errors.Is(err, ErrAway) && !errors.Is(err, ErrStopping) {
		c.opt.log.Warn("answer to another cluster is lost", "err", err)
	}
}

// stats is the handler of Stats. mu is free.
func (c *Cluster) stats(context.Context, Request) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]messages.ShardStatus, 0, len(c.shards))
	for _, s := range c.shards {
		all = append(all, s.status)
	}
	return all, nil
}
