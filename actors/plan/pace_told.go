package plan

import "time"

// This file is what a Pacer hears of uses that it did not grant.

// Used takes note that a bucket was used at t by somebody else, or in an earlier life.
func (p *Pacer) Used(key int, t time.Time) {
	if key < 0 || key >= p.maxConcurrency { // of other settings, or of somebody who is wrong
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

// Told takes the word of an owner that a bucket was, or may yet be, used at t. What lies ahead its
// next word replaces: it knows better by then.
func (p *Pacer) Told(owner string, key int, t, now time.Time) {
	if key < 0 || key >= p.maxConcurrency {
		return
	}
	b := p.bucket(key)
	delete(b.told, owner)
	if !t.After(now) {
		p.Used(key, t)
		return
	}
	if b.told == nil {
		b.told = map[string]time.Time{}
	}
	b.told[owner] = p.after(t)
}

// Believed returns at, when a bucket was, or may yet be, used by the word of a peer whose clock may
// be wrong, but no later than the longest permit may be out: one that keeps a bucket for held at
// most.
func (p *Pacer) Believed(at, now time.Time, held time.Duration) time.Time {
	if latest := now.Add(max(p.ttl, held)); at.After(latest) {
		return latest
	}
	return at
}

// after is when a bucket that was used at t is free again.
func (p *Pacer) after(t time.Time) time.Time { return t.Add(IdentifyEvery + p.margin + p.wider) }

// Last is when each bucket was used last, as far as known.
func (p *Pacer) Last() map[int]time.Time {
	last := make(map[int]time.Time, len(p.buckets))
	for key, b := range p.buckets {
		if !b.last.IsZero() {
			last[key] = b.last
		}
	}
	return last
}

// until is when a bucket is free as far as owners say.
func (b *bucket) until() (at time.Time) {
	for _, t := range b.told {
		at = later(at, t)
	}
	return at
}
