package link

import (
	"time"

	"github.com/discluster/control/messages"
)

// This file holds the lease: with on_master_loss: fence, a machine may serve for a limited time
// after it last heard from MASTER. After that no machine serves what MASTER places elsewhere
// (DESIGN §6).

type lease struct {
	length   time.Duration // 0: no lease
	from     time.Time     // when MASTER's last message was requested: by the dial, or by a heartbeat
	until    time.Time
	sent     []beatSent // unacked heartbeats, the oldest first
	stopping bool       // it ran out, and clusters are being stopped
}

type beatSent struct {
	seq int64
	at  time.Time
}

// unackedMax bounds the unacked heartbeats. The ack of an older one renews nothing.
const unackedMax = 16

// asked records when a heartbeat was sent. Its ack renews the lease from then on: MASTER cannot
// have meant a later moment.
func (s *lease) asked(seq int64, now time.Time) {
	s.sent = append(s.sent, beatSent{seq, now})
	s.sent = s.sent[max(0, len(s.sent)-unackedMax):]
}

// left returns the time until a moment, by the clock that shows less (messages.Left).
func (l *Link) left(until time.Time) time.Duration {
	return min(until.Sub(l.now), until.Round(0).Sub(l.now.Round(0)))
}

// leased sets the length of the lease from an initialise. An initialise does not show when it was
// sent: it may have waited in the socket while this machine was suspended. The lease therefore
// counts from the dial, or from the last heartbeat that was acked.
func (l *Link) leased(p messages.Initialise) {
	if l.lease.length = value(p.LeaseMS, 0).Duration(); l.lease.length == 0 {
		l.lease.until = time.Time{}
		l.deliver(Clusters, l.leaseNow())
		return
	}
	l.renew()
}

// leaseNow returns how long the clusters may serve. It is lapsed between two links: MASTER may
// place elsewhere what they serve, with or without a lease, and this machine would not learn of it.
func (l *Link) leaseNow() messages.Lease {
	return messages.Lease{Until: l.lease.until, Lapsed: !l.up()}
}

// leaseIsOver reports whether the lease forbids to serve.
func (l *Link) leaseIsOver() bool {
	return l.lease.stopping || l.lease.length > 0 && l.left(l.lease.until) <= 0
}

// renewed takes the ack of a heartbeat.
func (l *Link) renewed(seq int64) {
	for i, s := range l.lease.sent {
		if s.seq == seq {
			l.lease.from, l.lease.sent = s.at, l.lease.sent[i+1:]
			l.renew()
			return
		}
	}
}

// renew sends the clusters a lease that counts from lease.from, unless it would end sooner than the
// present one.
func (l *Link) renew() {
	until := l.lease.from.Add(l.lease.length)
	if l.lease.length == 0 || !until.After(l.lease.until) {
		return
	}
	l.lease.until = until
	l.deliver(Clusters, l.leaseNow())
	if len(l.orders.held) > 0 {
		l.retryHeld()
	}
	l.watchLease()
}

// watchLease sets the next check of the lease: at its end, or sooner, because timers stop while the
// machine is suspended.
func (l *Link) watchLease() {
	l.after(min(l.left(l.lease.until), messages.CheckLeftEvery), leaseDue{l.lease.until})
}

// leaseOver stops every cluster once the lease has run out. Their sessions are kept.
func (l *Link) leaseOver(e leaseDue) {
	switch {
	case e.until != l.lease.until:
	case l.left(e.until) > 0:
		l.watchLease()
	case len(l.status.Ranges) == 0 && len(l.orders.pending) == 0:
	default:
		l.raise(messages.LeaseLost{LeaseMS: messages.Millis(l.lease.length)})
		l.lease.stopping = true
		l.deliver(Clusters, messages.StopAll{Reason: "the lease ran out"})
	}
}
