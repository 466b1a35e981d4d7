package actors

import (
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
)

// This file is the lease: a MASTER with on_master_loss: fence lets its machines serve for so long after its last word, and no longer. What it gives away after that is
// nobody's any more (DESIGN §6).

// lease is what MasterLink knows of it.
type lease struct {
	length   time.Duration // 0: there is none
	from     time.Time     // when we asked for what MASTER said last: the dial of the link, or a heartbeat
	until    time.Time
	sent     []beatSent // heartbeats that were not acked, the oldest first
	stopping bool       // it ran out, and clusters are being stopped
}

type beatSent struct {
	seq int64
	at  time.Time
}

// unackedMax bounds the heartbeats that are remembered: an ack that is later than so many renews nothing.
const unackedMax = 16

// leaseEnds is the moment to look whether a lease has run out, unless it was renewed.
type leaseEnds struct{ until time.Time }

// IgnoreDeadLetterLogging: it may come after CONTROL has stopped.
func (leaseEnds) IgnoreDeadLetterLogging() {}

// leased takes the lease of an initialise, or learns that there is none. An initialise says nothing of when it was sent: it may have waited in the socket while we slept,
// until long after its lease. So it renews nothing by itself: the first one of a link was sent after the dial, and a later one after the last heartbeat that was acked.
func (m *MasterLink) leased(ctx actor.Context, p messages.Initialise) {
	if m.lease.length = value(p.LeaseMS, 0).Duration(); m.lease.length == 0 {
		m.lease.until = time.Time{}
		ctx.Send(m.house.Clusters, m.leaseNow())
		return
	}
	m.renew(ctx)
}

// leaseNow is how long the clusters may serve. Between two links what they serve may be given away, lease or not: nobody here would hear of it.
func (m *MasterLink) leaseNow() messages.Lease {
	return messages.Lease{Until: m.lease.until, Lapsed: m.State() == "dialing" || m.State() == "greeting"}
}

// asked notes when a heartbeat was sent: the lease is counted from there, for MASTER cannot have meant a later moment.
func (l *lease) asked(seq int64) {
	l.sent = append(l.sent, beatSent{seq, time.Now()})
	l.sent = l.sent[max(0, len(l.sent)-unackedMax):]
}

// over reports whether nothing may be served at present.
func (l *lease) over() bool {
	return l.stopping || l.length > 0 && messages.Left(l.until) <= 0
}

// renewed takes an ack.
func (m *MasterLink) renewed(ctx actor.Context, seq int64) {
	for i, s := range m.lease.sent {
		if s.seq == seq {
			m.lease.from, m.lease.sent = s.at, m.lease.sent[i+1:]
			m.renew(ctx)
			return
		}
	}
}

// renew lets the clusters serve for one more lease, from when it was asked for. A lease is only ever prolonged.
func (m *MasterLink) renew(ctx actor.Context) {
	until := m.lease.from.Add(m.lease.length)
	if m.lease.length == 0 || !until.After(m.lease.until) {
		return
	}
	m.lease.until = until
	ctx.Send(m.house.Clusters, m.leaseNow())
	if len(m.orders.held) > 0 {
		m.unhold(ctx)
	}
	m.watchLease(ctx)
}

// watchLease looks again at the end of the lease, and before: timers stand still while the machine is suspended.
func (m *MasterLink) watchLease(ctx actor.Context) {
	m.After(ctx, min(messages.Left(m.lease.until), messages.CheckLeftEvery), leaseEnds{m.lease.until})
}

// leaseEnds stops every cluster, resumably, when MASTER was away for too long.
func (m *MasterLink) leaseEnds(ctx actor.Context, end leaseEnds) {
	switch {
	case end.until != m.lease.until:
		return
	case messages.Left(end.until) > 0:
		m.watchLease(ctx)
		return
	case len(m.standing.Ranges) == 0 && len(m.orders.pending) == 0:
		return
	}
	m.raise(ctx, messages.LeaseLost{LeaseMS: messages.Millis(m.lease.length)})
	m.lease.stopping = true
	ctx.Send(m.house.Clusters, messages.StopAll{Reason: "the lease ran out"})
}
