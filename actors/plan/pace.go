package plan

import (
	"cmp"
	"slices"
	"time"

	"github.com/discluster/control/messages"
)

// IdentifyEvery is the distance Discord requires between IDENTIFYs of a bucket (shard %
// max_concurrency) (Discord docs, Gateway: Rate Limiting).
const IdentifyEvery = 5 * time.Second

// Lead is the time ahead of its start at which a permit may be sent to a machine whose clock is
// known: the delay of most networks. Were that clock entirely wrong, an identify would be early by
// no more.
const Lead = 100 * time.Millisecond

// lostReport is the time after its time to live for which an unreported permit still counts as
// about to be used (PROTOCOL B1, DESIGN §5).
const lostReport = time.Second

// Slots of a machine that paces itself beside others (PROTOCOL B3).
const (
	slotLength = 6 * time.Second
	slotWindow = 500 * time.Millisecond
	shortest   = time.Millisecond // the wire cannot carry a permit for less
)

// Want is one request to identify.
type Want struct {
	ID    string // unique among those waiting and outstanding
	Owner string // whose death ends the waiting
	Shard int
	Cause messages.IdentifyCause
	Since time.Time     // the longest waiting goes first
	Hold  time.Duration // keeps the bucket for this long or until the report; 0: one identify
	Lead  time.Duration // may be granted this long before its time, to cover the delay of the grant

	Identifies int  // with Hold: how many it covers; 0: one
	Kept       bool // with Hold: the bucket is kept already, by a permit that this pacer may not know
}

// Cost returns how many of the day's identifies the request takes.
func (w Want) Cost() int { return max(w.Identifies, 1) }

// Grant is a permit: from From on Want may identify, or keep the bucket, for UseWithin.
type Grant struct {
	Want
	From      time.Time
	OwnFrom   time.Time // the same by the owner's clock, where the owner's own identify was the bucket's last; else zero
	UseWithin time.Duration
}

// Pacer decides which shard may identify, and when: one a bucket per 5 s. A bucket is busy from the
// grant until the report, or until the permit's time to live + 1 s without one, and then for 5 s
// and the margin. It has no clock: every call takes the time. MASTER paces the fleet with it,
// CONTROL a machine alone.
type Pacer struct {
	maxConcurrency int
	ttl, margin    time.Duration
	wider          time.Duration    // beyond the margin, since Discord refused an identify
	slots          []messages.Place // the slots it keeps to; nil: none
	ahead          time.Duration    // the fleet's clock minus the caller's
	notBefore      time.Time
	buckets        map[int]*bucket
	waiting        queue
}

type bucket struct {
	free     time.Time // nothing is used before
	last     time.Time // when it was, or may have been, used last
	by       string    // the owner that used it last and reported when by its own clock
	ownFree  time.Time // and when it is free by that clock
	flight   *inFlight // the identify that free is counted from; nil: it is answered, or unknown
	out      *outstanding
	reported map[string]time.Time // until when each owner reports that it may still use the bucket
}

// outstanding is a permit that was granted and not reported.
type outstanding struct {
	Want
	from    time.Time
	expires time.Time // it counts as used then
}

// NewPacer returns a pacer of maxConcurrency (≥ 1) buckets. ttl is how long a permit may be used,
// margin is kept beyond Discord's 5 s for the network's jitter.
func NewPacer(maxConcurrency int, ttl, margin time.Duration) *Pacer {
	return &Pacer{maxConcurrency: maxConcurrency, ttl: ttl, margin: margin, buckets: map[int]*bucket{}}
}

// Bucket returns the rate limit key of a shard.
func (p *Pacer) Bucket(shard int) int { return shard % p.maxConcurrency }

// Alone makes the pacer keep to the slots of place, for a machine whose MASTER is away: with Of > 1
// it grants in the first 500 ms of its own slots only, without a slot never. ahead is the fleet's
// clock minus the one that Next is asked by.
func (p *Pacer) Alone(place messages.Place, ahead time.Duration) {
	p.slots, p.ahead = nil, ahead
	switch {
	case place == messages.NoSlot:
		p.slots = []messages.Place{}
	case place.Of > 1:
		p.slots = []messages.Place{place}
	}
}

// Keep makes the pacer keep to the slots of these places, for a MASTER beside machines that may
// pace themselves in the others. nil: there are none, and the pacer uses all time; an empty list is
// no slot at all. ahead is the fleet's clock minus the one that Next is asked by.
func (p *Pacer) Keep(slots []messages.Place, ahead time.Duration) { p.slots, p.ahead = slots, ahead }

// Hold grants nothing before t.
func (p *Pacer) Hold(t time.Time) {
	if t.After(p.notBefore) {
		p.notBefore = t
	}
}

// Ask queues w. A request whose id waits already is the same request. A granted one may be asked
// again, for the grant may be lost: it waits until the permit is overdue, and is removed when that
// is reported after all.
func (p *Pacer) Ask(w Want) {
	key := p.Bucket(w.Shard)
	p.refused(p.bucket(key), w)
	p.waiting.add(key, w)
}

// Extend keeps a bucket that a permit with Hold keeps already for hold from now, and reports
// whether it does.
func (p *Pacer) Extend(id string, hold time.Duration, now time.Time) bool {
	for key, b := range p.buckets {
		if p.settle(key, b, now); b.out != nil && b.out.ID == id {
			b.out.expires = now.Add(hold + lostReport)
			return true
		}
	}
	return false
}

// Adopt keeps a bucket for w, which keeps it by a permit of an earlier pacer, as if this pacer had
// granted that. It returns false where w keeps none, or another permit has the bucket.
func (p *Pacer) Adopt(w Want, now time.Time) bool {
	key := p.Bucket(w.Shard)
	b := p.bucket(key)
	if p.settle(key, b, now); !w.Kept || w.Hold == 0 || b.out != nil {
		return false
	}
	p.waiting.remove(w.ID)
	b.out = &outstanding{Want: w, from: now, expires: now.Add(w.Hold + lostReport)}
	clear(b.reported)
	// what was reported of the bucket was how long that permit might last
	if free := p.after(now); b.free.After(free) {
		b.free = free
	}
	return true
}

// Drop removes the owner's waiting requests. What it was granted keeps its bucket busy.
func (p *Pacer) Drop(owner string) {
	p.waiting.drop(owner)
}

// Waiting returns the waiting requests, in no order, for handing over to another pacer.
func (p *Pacer) Waiting() []Want { return p.waiting.all() }

// Report records that the permit was used at now, or was dropped, which frees the bucket. It
// returns the request, and false for a permit that is not outstanding (any more). For a use on
// another machine, now is the latest possible moment, as far as clocks show, and own, if not zero,
// is the moment by that machine's clock.
func (p *Pacer) Report(id string, sent bool, now, own time.Time) (w Want, known bool) {
	p.waiting.remove(id)
	for key, b := range p.buckets {
		if b.out == nil || b.out.ID != id {
			continue
		}
		p.settle(key, b, now)
		if b.out == nil { // overdue: it counts as used already
			return w, false
		}
		out := b.out
		b.out = nil
		if sent {
			used := later(now, out.from)
			p.Used(key, used)
			if p.after(used).Equal(b.free) {
				b.flight = &inFlight{id: id, owner: out.Owner, shard: out.Shard, at: used}
				if !own.IsZero() {
					b.by, b.ownFree = out.Owner, p.after(own)
				}
			}
		}
		return out.Want, true
	}
	return w, false
}

// Out returns how many permits were granted and not reported, without those that count as used by
// now, and how many identifies they cover.
func (p *Pacer) Out(now time.Time) (permits, identifies int) {
	for _, b := range p.buckets {
		if b.out != nil && now.Before(b.out.expires) {
			permits, identifies = permits+1, identifies+b.out.Cost()
		}
	}
	return permits, identifies
}

// Next grants what can be granted at now, in the order of shards, and returns when to call it again
// (zero: not before something changes).
func (p *Pacer) Next(now time.Time) (grants []Grant, wake time.Time) {
	opens, closes := p.window(now)
	for _, key := range p.keys() {
		b, w := p.bucket(key), p.first(key)
		p.settle(key, b, now)
		at := later(later(later(b.free, b.until()), p.notBefore), opens)
		grantAt := at
		if p.slots == nil {
			grantAt = at.Add(-w.Lead)
		}
		switch {
		case b.out != nil:
			wake = sooner(wake, b.out.expires)
		case grantAt.After(now):
			if at != never {
				wake = sooner(wake, grantAt)
			}
		default:
			p.waiting.remove(w.ID)
			g := Grant{Want: w, From: later(at, now), UseWithin: cmp.Or(w.Hold, p.ttl)}
			if !closes.IsZero() {
				g.UseWithin = min(g.UseWithin, closes.Sub(now))
			}
			if b.by == w.Owner && at.Equal(b.free) {
				g.OwnFrom = b.ownFree
			}
			b.out = &outstanding{Want: w, from: g.From, expires: g.From.Add(g.UseWithin + lostReport)}
			grants = append(grants, g)
			if p.waits(key) {
				wake = sooner(wake, b.out.expires)
			}
		}
	}
	return grants, wake
}

// settle turns a permit that was not reported in time into one that was used at its very end.
func (p *Pacer) settle(key int, b *bucket, now time.Time) {
	if b.out != nil && !now.Before(b.out.expires) {
		expired := b.out.expires
		b.out = nil
		p.Used(key, expired)
	}
}

// window returns when the slot that may be used opens (zero: it is open; never: there is none) and,
// with slots, when the open one closes.
func (p *Pacer) window(now time.Time) (opens, closes time.Time) {
	if p.slots == nil {
		return time.Time{}, time.Time{}
	}
	clock := now.Add(p.ahead).Round(0) // the fleet's
	fleet := clock.UnixMilli()
	k := fleet / slotLength.Milliseconds()
	start := func(k int64) time.Time { return now.Add(time.UnixMilli(k * slotLength.Milliseconds()).Sub(clock)) }
	if end := start(k).Add(slotWindow); end.Sub(now) >= shortest && p.owns(k) {
		return time.Time{}, end
	}
	next := int64(-1)
	for _, place := range p.slots {
		of := int64(place.Of)
		if turn := k + 1 + ((int64(place.Index)-k-1)%of+of)%of; next < 0 || turn < next {
			next = turn
		}
	}
	if next < 0 {
		return never, time.Time{}
	}
	return start(next), time.Time{}
}

// never is far beyond the end of any process.
var never = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)

// owns reports whether a slot may be used.
func (p *Pacer) owns(k int64) bool {
	return slices.ContainsFunc(p.slots, func(place messages.Place) bool { return k%int64(place.Of) == int64(place.Index) })
}

// may reports whether a request can be granted at all now: a bucket cannot be kept longer than a
// slot.
func (p *Pacer) may(w Want) bool { return w.Hold == 0 || p.slots == nil }

// keys returns the buckets with waiting requests, in order.
func (p *Pacer) keys() []int {
	return slices.DeleteFunc(p.waiting.buckets(), func(key int) bool { return !p.waits(key) })
}

func (p *Pacer) waits(key int) bool { return slices.ContainsFunc(p.waiting.of(key), p.may) }

// first returns the next request of a bucket that has some: first start, then crash, then operator;
// the longest waiting, by 5 s; the lowest shard.
func (p *Pacer) first(key int) Want {
	all, first := p.waiting.of(key), -1
	for i, w := range all {
		if p.may(w) && (first < 0 || before(w, all[first])) {
			first = i
		}
	}
	return all[first]
}

func before(a, b Want) bool {
	if ra, rb := rank(a.Cause), rank(b.Cause); ra != rb {
		return ra < rb
	}
	// Requests that began to wait at about the same time go by their shard, so that a fleet comes up
	// cluster by cluster, the first within seconds.
	if sa, sb := a.Since.Truncate(IdentifyEvery), b.Since.Truncate(IdentifyEvery); !sa.Equal(sb) {
		return sa.Before(sb)
	}
	return a.Shard < b.Shard
}

func rank(c messages.IdentifyCause) int {
	switch c {
	case messages.CauseStart:
		return 0
	case messages.CauseOperator:
		return 2
	default:
		return 1
	}
}

func (p *Pacer) bucket(key int) *bucket {
	b := p.buckets[key]
	if b == nil {
		b = &bucket{}
		p.buckets[key] = b
	}
	return b
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// sooner returns the earlier of two moments; zero is never.
func sooner(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
