package bot

import (
	"context"
	"fmt"
	"time"

	"github.com/discluster/control/messages"
)

// retryMin is the minimum wait before a postponed permit is requested again.
const retryMin = 100 * time.Millisecond

// permitRequest is one request for a permit that CONTROL has not answered.
type permitRequest struct {
	packet messages.PermitAsk
	answer chan answer // has room for one
}

// answer is CONTROL's answer, with its connection.
type answer struct {
	messages.PermitGrant
	conn   *conn
	until  time.Time // zero: CONTROL set no limit
	before time.Time // the same by the wall clock, which runs while the machine is suspended
}

// Permit allows one IDENTIFY. Call exactly one of Sent and Unused; an unreported permit blocks its
// bucket until it is overdue.
type Permit struct {
	c        *Cluster
	answer   answer
	reported bool
}

// Permit asks CONTROL for leave to identify, and waits for it: for its turn, for CONTROL's return,
// for a new daily budget. Call it before every IDENTIFY and never before a RESUME, with the
// connection open and HELLO received, since the permit is valid for a few seconds only. The end of
// ctx and ErrStopping end the wait.
func (s *Shard) Permit(ctx context.Context, cause messages.IdentifyCause) (*Permit, error) {
	for {
		a, err := s.ask(ctx, cause)
		if err != nil {
			return nil, fmt.Errorf("permit for shard %d: %w", s.id, err)
		}
		if a.Granted {
			return &Permit{c: s.c, answer: a}, nil
		}
		s.c.opt.log.Info("permit postponed", "shard", s.id, "reason", a.Reason, "retry_after", a.RetryAfterMS.Duration())
		select {
		case <-time.After(max(retryMin, a.RetryAfterMS.Duration())):
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
	a := &permitRequest{messages.PermitAsk{EventID: id, Shard: s.id, Cause: cause}, make(chan answer, 1)}
	c.permits[id] = a
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
	delete(c.permits, id)
	select {
	case got := <-a.answer: // it came in between
		c.refuse(got.PermitGrant)
	default:
	}
	return answer{}, err
}

// granted handles CONTROL's answer to a permitRequest. If its requester is gone a grant is returned
// at once.
func (c *Cluster) granted(g messages.PermitGrant) {
	a, waits := c.permits[g.EventID]
	if !waits {
		c.refuse(g)
		return
	}
	delete(c.permits, g.EventID)
	got := answer{PermitGrant: g, conn: c.conn}
	if g.UseWithinMS > 0 {
		got.until = time.Now().Add(g.UseWithinMS.Duration())
	}
	if g.UseBefore != nil {
		got.before = g.UseBefore.Time()
	}
	a.answer <- got
}

// refuse returns a grant unused.
func (c *Cluster) refuse(g messages.PermitGrant) {
	if g.Granted {
		c.send(messages.PermitSent{EventID: g.EventID, Shard: g.Shard})
	}
}

// Overdue reports whether the permit must not be used any more: its time is over, the CONTROL that
// granted it is gone (without CONTROL no IDENTIFY), or the cluster is stopping. Call it right
// before the IDENTIFY is written; an overdue permit is Unused, and requested again.
func (p *Permit) Overdue() bool {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	late := func(now, until time.Time) bool { return !until.IsZero() && !now.Before(until) }
	return c.isStopping() || c.conn != p.answer.conn || late(time.Now(), p.answer.until) || late(c.opt.wall().Round(0), p.answer.before) ||
		p.answer.UseBeforeUp > 0 && c.opt.uptime() >= p.answer.UseBeforeUp.Duration()
}

// Sent reports that the IDENTIFY was written; call it right after that.
func (p *Permit) Sent() { p.report(true) }

// Unused reports that no IDENTIFY was written, so that the next shard may.
func (p *Permit) Unused() { p.report(false) }

// report reports the use of the permit, once. A CONTROL that returns gets the report of an IDENTIFY
// that it missed. mu is free.
func (p *Permit) report(sent bool) {
	c := p.c
	c.mu.Lock()
	defer c.mu.Unlock()
	if p.reported {
		return
	}
	p.reported = true
	r := messages.PermitSent{EventID: p.answer.EventID, Shard: p.answer.Shard, Sent: sent}
	switch {
	case c.conn != nil:
		c.send(r)
	case sent:
		c.unreported[r.Shard] = r
	}
}
