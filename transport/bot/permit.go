package bot

import (
	"context"
	"fmt"
	"time"

	"github.com/discluster/control/messages"
)

// retryLeast is the shortest wait before a permit that was put off is asked for again.
const retryLeast = 100 * time.Millisecond

// ask is one request for a permit that CONTROL has not answered.
type ask struct {
	packet messages.PermitAsk
	answer chan answer // takes one
}

// answer is CONTROL's, on the line it came by.
type answer struct {
	messages.PermitGrant
	line   *line
	until  time.Time // zero: CONTROL set no limit
	before time.Time // the same by the wall clock, which goes on while the machine is suspended
}

// Permit allows one IDENTIFY. Exactly one of Sent and Unused is called; a permit of which nothing is heard blocks its bucket until it is overdue.
type Permit struct {
	c      *Cluster
	answer answer
	said   bool
}

// Permit asks CONTROL for leave to identify, and waits for it: for its turn, for CONTROL to come back, for a new daily budget. It is asked before every IDENTIFY and never
// before a RESUME, with the connection open and HELLO received, for the permit lives a few seconds only. The end of ctx and ErrStopping end the wait.
func (s *Shard) Permit(ctx context.Context, cause messages.IdentifyCause) (*Permit, error) {
	for {
		a, err := s.ask(ctx, cause)
		if err != nil {
			return nil, fmt.Errorf("permit for shard %d: %w", s.id, err)
		}
		if a.Granted {
			return &Permit{c: s.c, answer: a}, nil
		}
		s.c.opt.log.Info("permit is put off", "shard", s.id, "reason", a.Reason, "retry_after", a.RetryAfterMS.Duration())
		select {
		case <-time.After(max(retryLeast, a.RetryAfterMS.Duration())):
		case <-ctx.Done():
		case <-s.c.stopping:
		}
	}
}

// ask asks once. mu is free.
func (s *Shard) ask(ctx context.Context, cause messages.IdentifyCause) (answer, error) {
	c := s.c
	if c.isStopping() {
		return answer{}, ErrStopping
	}
	c.mu.Lock()
	id := c.mint.New(time.Now(), uint32(c.env.cluster))
	a := &ask{messages.PermitAsk{EventID: id, Shard: s.id, Cause: cause}, make(chan answer, 1)}
	c.asks[id] = a
	c.send(a.packet)
	c.mu.Unlock()
	var err error
	select {
	case got := <-a.answer:
		return got, nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-c.stopping:
		err = ErrStopping
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.asks, id)
	select {
	case got := <-a.answer: // it came meanwhile
		c.refuse(got.PermitGrant)
	default:
	}
	return answer{}, err
}

// granted is CONTROL's answer to an ask. If its asker is gone a grant is given back at once.
func (c *Cluster) granted(g messages.PermitGrant) {
	a, waits := c.asks[g.EventID]
	if !waits {
		c.refuse(g)
		return
	}
	delete(c.asks, g.EventID)
	got := answer{PermitGrant: g, line: c.line}
	if g.UseWithinMS > 0 {
		got.until = time.Now().Add(g.UseWithinMS.Duration())
	}
	if g.UseBefore != nil {
		got.before = g.UseBefore.Time()
	}
	a.answer <- got
}

// refuse gives a grant back.
func (c *Cluster) refuse(g messages.PermitGrant) {
	if g.Granted {
		c.send(messages.PermitSent{EventID: g.EventID, Shard: g.Shard})
	}
}

// Overdue reports whether the permit must no longer be used: its time is over, the CONTROL that gave it is gone (without CONTROL no IDENTIFY), or the cluster is stopping.
// To be asked right before the IDENTIFY is written; an overdue permit is Unused, and asked for again.
func (p *Permit) Overdue() bool {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	late := func(now, until time.Time) bool { return !until.IsZero() && !now.Before(until) }
	return c.isStopping() || c.line != p.answer.line || late(time.Now(), p.answer.until) || late(c.opt.wall().Round(0), p.answer.before) ||
		p.answer.UseBeforeUp > 0 && c.opt.uptime() >= p.answer.UseBeforeUp.Duration()
}

// Sent tells that the IDENTIFY was written; to be called right after that.
func (p *Permit) Sent() { p.report(true) }

// Unused tells that no IDENTIFY was written, so that the next shard may.
func (p *Permit) Unused() { p.report(false) }

// report tells what became of the permit, once. A CONTROL that comes back hears of an IDENTIFY it missed. mu is free.
func (p *Permit) report(sent bool) {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.said {
		return
	}
	p.said = true
	r := messages.PermitSent{EventID: p.answer.EventID, Shard: p.answer.Shard, Sent: sent}
	switch {
	case c.line != nil:
		c.send(r)
	case sent:
		c.said[r.Shard] = r
	}
}
