package bot

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/discluster/control/messages"
)

// asked is a running call of Permit.
type asked struct {
	permit *Permit
	err    error
	done   chan struct{}
}

func wants(ctx context.Context, s *Shard) *asked {
	a := &asked{done: make(chan struct{})}
	go func() {
		defer close(a.done)
		a.permit, a.err = s.Permit(ctx, messages.CauseStart)
	}()
	synctest.Wait()
	return a
}

func (a *asked) isDone() bool {
	synctest.Wait()
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

func TestPermit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil)
		a := wants(t.Context(), c.shard(6))
		l.hears("0s PERMIT? 6 start")
		time.Sleep(time.Second)
		l.send(messages.PermitGrant{EventID: l.lastAsk(), Shard: 6, Granted: false, RetryAfterMS: 2000, Reason: "budget"})
		l.hears()
		time.Sleep(2 * time.Second)
		l.hears("3s PERMIT? 6 start")
		l.send(messages.PermitGrant{EventID: l.lastAsk(), Shard: 6, Granted: true, UseWithinMS: 1500})
		<-a.done
		want(t, "Permit", a.err, nil)
		time.Sleep(1499 * time.Millisecond)
		want(t, "overdue in time", a.permit.Overdue(), false)
		time.Sleep(time.Millisecond)
		want(t, "overdue", a.permit.Overdue(), true)
		a.permit.Unused()
		a.permit.Sent() // a second report is ignored
		l.hears("4.5s PERMIT 6 sent false")

		b := wants(t.Context(), c.shard(7))
		l.send(messages.PermitGrant{EventID: l.lastAsk(), Shard: 7, Granted: true})
		<-b.done
		b.permit.Sent()
		l.hears("4.5s PERMIT? 7 start", "4.5s PERMIT 7 sent true")
		c.finish(l)
	})
}

// TestPermitWithoutControl: without CONTROL no IDENTIFY. Requests are sent again, grants are void,
// uses are reported.
func TestPermitWithoutControl(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		c, l := join(t, w, hello(), nil)
		granted := wants(t.Context(), c.shard(6))
		l.send(messages.PermitGrant{EventID: l.lastAsk(), Shard: 6, Granted: true, UseWithinMS: 60_000})
		used := wants(t.Context(), c.shard(6))
		l.send(messages.PermitGrant{EventID: l.lastAsk(), Shard: 6, Granted: true, UseWithinMS: 60_000})
		waiting := wants(t.Context(), c.shard(7))
		want(t, "granted", granted.isDone() && used.isDone() && !waiting.isDone(), true)

		l.hangUp(errors.New("crashed"))
		synctest.Wait()
		want(t, "overdue", granted.permit.Overdue(), true)
		granted.permit.Unused()
		used.permit.Sent()
		time.Sleep(time.Minute)
		want(t, "granted alone", waiting.isDone(), false)

		next := w.dial()
		next.send(hello())
		next.hears("1m0s IDENTIFY to 77 serving [6 7] of 16", "1m0s SHARD 6 idle", "1m0s SHARD 7 idle", "1m0s PERMIT 6 sent true", "1m0s PERMIT? 7 start")
		next.send(messages.PermitGrant{EventID: next.lastAsk(), Shard: 7, Granted: true, UseWithinMS: 2000})
		want(t, "granted", waiting.isDone(), true)
		want(t, "overdue", waiting.permit.Overdue(), false)
		waiting.permit.Sent()
		c.finish(next)
	})
}

// TestPermitGivenBack: a grant whose requester is gone frees its bucket at once.
func TestPermitGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil)
		ctx, cancel := context.WithCancel(t.Context())
		a := wants(ctx, c.shard(6))
		cancel()
		<-a.done
		want(t, "ended by ctx", errors.Is(a.err, context.Canceled), true)
		l.send(messages.PermitGrant{EventID: l.lastAsk(), Shard: 6, Granted: true, UseWithinMS: 2000})
		l.send(messages.PermitGrant{EventID: l.lastAsk(), Shard: 6, Granted: false})
		l.hears("0s PERMIT? 6 start", "0s PERMIT 6 sent false")

		b := wants(t.Context(), c.shard(7))
		c.finish(l)
		<-b.done
		want(t, "ended by the stop", errors.Is(b.err, ErrStopping), true)
		d := wants(t.Context(), c.shard(7))
		<-d.done
		want(t, "ended by the stop", errors.Is(d.err, ErrStopping), true)
		l.hears("0s PERMIT? 7 start", "0s DRAINED 99")
	})
}

// A process that got no CPU time reads an old grant late. Its wall clock may have been set back in
// between; the machine's uptime cannot be.
func TestPermitOfLongAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, l := join(t, newWorld(t), hello(), nil)
		up := time.Hour
		c.opt.uptime = func() time.Duration { return up }
		a := wants(t.Context(), c.shard(6))
		before := messages.At(time.Now().Add(time.Hour)) // the clock was set back by an hour
		l.send(messages.PermitGrant{EventID: l.lastAsk(), Shard: 6, Granted: true, UseWithinMS: 1500, UseBefore: &before, UseBeforeUp: messages.Millis(up + time.Millisecond)})
		if !a.isDone() || a.err != nil {
			t.Fatal("no permit", a.err)
		}
		want(t, "overdue in time", a.permit.Overdue(), false)
		up += time.Millisecond
		want(t, "overdue", a.permit.Overdue(), true)
	})
}
