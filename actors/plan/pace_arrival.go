package plan

import (
	"time"

	"github.com/discluster/control/messages"
)

// This file holds how a Pacer learns how far apart identifies have to be.
//
// Discord measures 5 s from arrival to arrival, and CONTROL knows when an identify was sent. It
// arrives at some moment between that and Discord's answer to it (READY). The next one arrives no
// sooner than it is sent. Therefore 5 s after the answer are enough, whatever the jitter of the
// network. Without an answer, the wait is 5 s after the sending and a margin, for an identify that
// is longer under way than the next one. Near Discord the answer comes long before the margin is
// over, and costs a few milliseconds. After a restart, or in another pacer, no answer is known, and
// the margin applies.
//
// An identify that is not answered by READY, while its shard asks for another one, was refused (op
// 9): perhaps it was too early. From then on all identifies are further apart: at once by
// widenLeast, twice as much each time, and less again with each identify that is answered.
const (
	clocksPart  = time.Millisecond // of 5 s, by this clock and Discord's: 100 ppm each
	widenLeast  = 250 * time.Millisecond
	widenMost   = time.Second
	narrowBy    = 16               // the fraction 1/narrowBy, with each answer
	refusedSoon = 10 * time.Second // after its identify: Discord refuses at once
)

// inFlight is an identify that Discord has not answered, as far as known.
type inFlight struct {
	id, owner string
	shard     int
	at        time.Time // when it was reported
}

// Arrived records that Discord had answered the identify of a permit by at; own as in Report. It
// changes nothing where another use of the bucket is known, or another answer.
func (p *Pacer) Arrived(id string, at, own time.Time) {
	for _, b := range p.buckets {
		if b.flight == nil || b.flight.id != id {
			continue
		}
		if free := p.answered(at); free.Before(b.free) {
			b.free = free
			switch {
			case own.IsZero():
				b.by = ""
			case b.by != "":
				b.ownFree = p.answered(own)
			}
		}
		b.flight = nil
		if p.wider -= p.wider / narrowBy; p.wider < time.Millisecond {
			p.wider = 0
		}
		return
	}
}

// answered returns when a bucket is free whose last identify was answered at t.
func (p *Pacer) answered(t time.Time) time.Time { return t.Add(IdentifyEvery + clocksPart + p.wider) }

// refused widens the distance where w is the request of a shard whose identify was refused.
func (p *Pacer) refused(b *bucket, w Want) {
	f := b.flight
	if f == nil || w.Cause != messages.CauseReidentify || w.Owner != f.owner || w.Shard != f.shard || w.Since.Sub(f.at) > refusedSoon {
		return
	}
	b.flight = nil
	p.wider = min(max(2*p.wider, widenLeast), widenMost)
	b.free, b.by = later(b.free, p.after(f.at)), ""
}
