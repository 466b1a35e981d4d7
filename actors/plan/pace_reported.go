package plan

import "time"

// This file holds what a Pacer learns of uses that it did not grant.

// Used records that a bucket was used at t under another pacer, or in an earlier run.
func (p *Pacer) Used(key int, t time.Time) {
	if key < 0 || key >= p.maxConcurrency { // of other settings, or of a wrong reporter
		return
	}
	b := p.bucket(key)
	if t.After(b.last) {
		b.last = t
	}
	if free := p.after(t); free.After(b.free) {
		b.free, b.by, b.flight = free, "", nil
	}
}

// Reported records an owner's report that a bucket was, or may still be, used at t. The owner's
// next report replaces what lies ahead: it knows better by then.
func (p *Pacer) Reported(owner string, key int, t, now time.Time) {
	if key < 0 || key >= p.maxConcurrency {
		return
	}
	b := p.bucket(key)
	delete(b.reported, owner)
	if !t.After(now) {
		p.Used(key, t)
		return
	}
	if b.reported == nil {
		b.reported = map[string]time.Time{}
	}
	b.reported[owner] = p.after(t)
}

// Believed returns at, the moment a bucket was, or may still be, used by the report of a peer whose
// clock may be wrong, but no later than the longest permit may be out: one that keeps a bucket for
// held at most.
func (p *Pacer) Believed(at, now time.Time, held time.Duration) time.Time {
	if latest := now.Add(max(p.ttl, held)); at.After(latest) {
		return latest
	}
	return at
}

// after returns when a bucket that was used at t is free again.
func (p *Pacer) after(t time.Time) time.Time { return t.Add(IdentifyEvery + p.margin + p.wider) }

// Last returns when each bucket was used last, as far as known.
func (p *Pacer) Last() map[int]time.Time {
	last := make(map[int]time.Time, len(p.buckets))
	for key, b := range p.buckets {
		if !b.last.IsZero() {
			last[key] = b.last
		}
	}
	return last
}

// until returns when a bucket is free as far as owners report.
func (b *bucket) until() (at time.Time) {
	for _, t := range b.reported {
		at = later(at, t)
	}
	return at
}
