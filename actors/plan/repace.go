package plan

import (
	"maps"
	"slices"
	"time"
)

// Repaced returns a pacer for another max_concurrency, which Discord may change at any time. The
// buckets differ then, and which of them a shard used is unknown: whatever was used, or may still
// be by an outstanding permit, counts for all. Waiting requests go on waiting; what is kept stays
// kept.
func (p *Pacer) Repaced(maxConcurrency int, now time.Time) *Pacer {
	n := NewPacer(maxConcurrency, p.ttl, p.margin)
	n.slots, n.ahead, n.notBefore, n.wider = p.slots, p.ahead, p.notBefore, p.wider
	for _, w := range p.Waiting() {
		n.Ask(w)
	}
	for _, key := range slices.Sorted(maps.Keys(p.buckets)) {
		b := p.buckets[key]
		p.settle(key, b, now)
		n.Hold(b.free)
		if b.out == nil {
			continue
		}
		if to := n.bucket(n.Bucket(b.out.Shard)); b.out.Hold > 0 && to.out == nil {
			to.out = b.out
			continue
		}
		n.Hold(p.after(b.out.expires))
	}
	return n
}

// Soonest returns when the next permit can be granted; zero: none is requested, or the time is
// unknown.
func (p *Pacer) Soonest(now time.Time) (at time.Time) {
	opens, _ := p.window(now)
	for _, key := range p.keys() {
		b := p.bucket(key)
		if b.out != nil && now.Before(b.out.expires) {
			continue
		}
		grant := later(later(later(b.free, p.notBefore), opens), now)
		if b.out != nil {
			grant = later(grant, p.after(b.out.expires))
		}
		if grant != never {
			at = sooner(at, grant)
		}
	}
	return at
}
