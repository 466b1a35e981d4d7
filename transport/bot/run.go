package bot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/discluster/control/messages"
)

const (
	// time for handlers when CONTROL is lost or a shard failed fatally: MASTER's grace must not end
	// first (DESIGN §6)
	shortGrace = time.Second
	// after a deadline, for shards to close their connections, and then for our last packets to be
	// read
	closing = 2 * time.Second
)

// ErrLost is Run's error when CONTROL was away for longer than this cluster may be alone, and
// another machine may be about to take its shards.
var ErrLost = errors.New("CONTROL is lost")

// ErrStopping reports that the cluster is stopping: nothing new is started.
var ErrStopping = errors.New("cluster is stopping")

// Run calls serve once for every shard, each on a goroutine of its own, and returns when all have
// returned: nil when that was ordered (DRAIN, DESTROYING, SIGTERM, or the end of ctx), so that the
// process can exit 0; ErrLost when CONTROL was away too long; the error of a serve that failed by
// itself, after reporting it to CONTROL as Fail does. The shards start at once, with bot.Resume as
// soon as CONTROL has sent the sessions.
//
// A serve must end soon after Stopping; its ctx ends at the deadline, and 2 s later Run continues
// without it, with an error.
func (c *Cluster) Run(ctx context.Context, serve func(ctx context.Context, s *Shard) error) error {
	defer c.leave()
	over := make(chan struct{})
	defer close(over)
	term, done := c.opt.signals()
	defer done()
	go func() {
		select {
		case <-term:
		case <-ctx.Done():
		case <-over:
			return
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		c.halt(c.opt.grace, false, nil)
	}()
	select {
	case <-c.begun:
	case <-c.stopping:
	}
	if c.isStopping() {
		return c.verdict(nil)
	}
	return c.serve(context.WithoutCancel(ctx), serve)
}

// serve runs the shards and waits for their end. mu is free, as in the next two.
func (c *Cluster) serve(ctx context.Context, serve func(context.Context, *Shard) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	c.mu.Lock()
	c.serving = true
	c.mu.Unlock()
	type result struct {
		shard *Shard
		err   error
	}
	results := make(chan result, len(c.shards))
	for _, s := range c.shards {
		go func() { results <- result{s, serve(ctx, s)} }()
	}
	var deadline, last <-chan time.Time
	var failed error
	stopping := c.Stopping()
	for left := len(c.shards); left > 0; {
		select {
		case r := <-results:
			left--
			if r.err != nil {
				failed = cmp.Or(failed, c.failed(fmt.Errorf("shard %d: %w", r.shard.id, r.err)))
			}
		case <-stopping:
			stopping, deadline = nil, time.After(time.Until(c.Stop().Deadline))
		case <-deadline:
			cancel()
			last = time.After(closing)
		case <-last:
			return c.verdict(errors.Join(failed, fmt.Errorf("%d shards have not ended %s after the deadline", left, closing)))
		}
	}
	return c.verdict(failed)
}

// failed handles a shard's serve that returned an error, and returns it if it ends Run: an error
// while stopping is only logged.
func (c *Cluster) failed(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.halt(shortGrace, false, err) {
		c.opt.log.Warn("shard ended with an error while stopping", "err", err)
		return nil
	}
	c.send(c.failure(err))
	return err
}

// verdict answers the orders to stop, and returns Run's result.
func (c *Cluster) verdict(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.answers {
		if d, drained := a.(messages.Drained); drained {
			d.Sessions = c.sessions()
			a = d
		}
		c.send(a)
	}
	c.answers = nil
	return cmp.Or(err, c.why)
}

// Fail reports to CONTROL that this bot cannot start, and why, ends the cluster and returns err;
// the process should then exit with 1. An error with a method CloseCode() int adds the gateway's
// code: after a fatal one (4004 for a token that REST refused) CONTROL does not restart. An error
// that a shard's function returns needs no Fail: Run does it.
func (c *Cluster) Fail(err error) error {
	c.mu.Lock()
	c.send(c.failure(err))
	c.mu.Unlock()
	c.leave()
	return err
}

// failure puts err into a packet. The token may be part of a library's error.
func (c *Cluster) failure(err error) messages.Failure {
	f := messages.FailureError{Name: "Error", Message: err.Error()}
	if token := c.Token().Reveal(); token != "" {
		f.Message = strings.ReplaceAll(f.Message, token, c.Token().String())
	}
	var coded interface{ CloseCode() int }
	if errors.As(err, &coded) {
		f.Code = coded.CloseCode()
	}
	return messages.Failure{EventID: c.env.instance, Error: f}
}

// halt starts the stop, and reports whether this call started it. Run then returns why.
func (c *Cluster) halt(within time.Duration, final bool, why error) bool {
	if c.isStopping() {
		return false
	}
	c.stop, c.why = Stop{time.Now().Add(within), final}, why
	close(c.stopping)
	return true
}

// isStopping reports whether the stop has begun. mu may be free.
func (c *Cluster) isStopping() bool {
	select {
	case <-c.stopping:
		return true
	default:
		return false
	}
}

// leave ends the cluster: its last packets are written, the connections closed, the socket removed.
// Only the first call has an effect. mu is free.
func (c *Cluster) leave() {
	c.leaveOnce.Do(func() {
		c.unlisten()
		c.mu.Lock()
		c.halt(0, false, nil)
		c.over = true
		stopTimers(c.lostTimer, c.leaseTimer, c.figures, c.moves)
		lines := slices.Collect(maps.Keys(c.conns))
		for _, l := range lines {
			stopTimers(l.beat)
			l.link.Close(0, "the cluster ends")
			c.loseRequests(l)
		}
		c.mu.Unlock()
		c.end()
		until := time.After(closing)
		for _, l := range lines {
			select {
			case <-l.closed:
			case <-until:
				return
			}
		}
	})
}

// stopTimers stops the timers that are not nil.
func stopTimers(timers ...*time.Timer) {
	for _, t := range timers {
		if t != nil {
			t.Stop()
		}
	}
}
