package main

import (
	"context"
	"errors"
	"sync"

	"github.com/disgoorg/disgo/gateway"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport/bot"
)

// logins is disgo's limiter of logins: disgo asks it before it dials to IDENTIFY, never before a
// RESUME, and the permit it waits for is CONTROL's.
type logins struct {
	shard *bot.Shard

	mu     sync.Mutex
	cause  messages.IdentifyCause
	permit *bot.Permit // not yet reported
}

// Wait waits for the permit. There is no session any more, or there never was.
func (l *logins) Wait(ctx context.Context, _ int) error {
	l.shard.SessionGone()
	l.shard.State(messages.ShardWaitingPermit, 0)
	l.mu.Lock()
	cause := l.cause
	l.mu.Unlock()
	permit, err := l.shard.Permit(ctx, cause)
	if err != nil {
		return err
	}
	l.shard.State(messages.ShardConnecting, 0)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.permit = permit
	return nil
}

// Unlock is the end of a login, good or bad: a permit that was not used is given back.
func (l *logins) Unlock(int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.permit != nil {
		l.permit.Unused()
		l.permit = nil
	}
}

// Close has nothing to close.
func (l *logins) Close(context.Context) {}

// errLate makes disgo give up a connection and log in again.
var errLate = errors.New("the permit is overdue")

// sends is disgo's limiter of sends. While a permit is open the first send of the connection is the
// IDENTIFY it is for: a heartbeat comes an interval later.
type sends struct {
	gateway.RateLimiter
	logins *logins
}

// Wait holds an IDENTIFY back whose permit is overdue.
func (s *sends) Wait(ctx context.Context, kind gateway.RateLimiterCommandType) error {
	l := s.logins
	l.mu.Lock()
	late := l.permit != nil && l.permit.Overdue()
	l.mu.Unlock()
	if late {
		return errLate
	}
	return s.RateLimiter.Wait(ctx, kind)
}

// Unlock comes right after the frame was written: CONTROL gets the report of the IDENTIFY.
func (s *sends) Unlock() {
	s.RateLimiter.Unlock()
	l := s.logins
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.permit != nil {
		l.permit.Sent()
		l.permit, l.cause = nil, messages.CauseReidentify
		l.shard.State(messages.ShardIdentifying, 0)
	}
}
