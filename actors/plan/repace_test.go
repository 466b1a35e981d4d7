package plan

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// A pacer for another max_concurrency grants nothing before all uses, or possible uses, are 5 s
// old, and keeps what is kept.
func TestRepaced(t *testing.T) {
	const ttl, margin = 2 * time.Second, 100 * time.Millisecond
	for _, c := range []struct {
		name     string
		from, to int
		before   func(p *Pacer)
		want     time.Duration // until the first grant
	}{
		{"nothing was used", 16, 1, func(*Pacer) {}, 0},
		{"one was used", 16, 1, func(p *Pacer) { p.Used(7, noon) }, IdentifyEvery + margin},
		{"one was used, and the buckets are more", 1, 16, func(p *Pacer) { p.Used(0, noon) }, IdentifyEvery + margin},
		{"one is out", 16, 1, func(p *Pacer) {
			p.Ask(Want{ID: "out", Shard: 3})
			p.Next(noon)
		}, ttl + lostReport + IdentifyEvery + margin},
		{"one is out, and its bucket is another", 16, 4, func(p *Pacer) {
			p.Ask(Want{ID: "out", Shard: 3})
			p.Next(noon)
		}, ttl + lostReport + IdentifyEvery + margin},
		{"nothing may be granted for a while", 16, 4, func(p *Pacer) { p.Hold(noon.Add(time.Minute)) }, time.Minute},
		{"or only in slots", 16, 4, func(p *Pacer) { p.Alone(messages.Place{Index: 1, Of: 2}, 0) }, slotLength},
		{"one is kept in another bucket", 16, 4, func(p *Pacer) {
			p.Ask(Want{ID: "kept", Shard: 3, Hold: HoldFor})
			p.Next(noon)
		}, 0},
		{"two are kept in one bucket", 16, 1, func(p *Pacer) {
			p.Ask(Want{ID: "kept", Shard: 3, Hold: HoldFor})
			p.Ask(Want{ID: "kept too, for less", Shard: 4, Hold: 10 * time.Second})
			p.Next(noon)
		}, HoldFor + lostReport + IdentifyEvery + margin},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := NewPacer(c.from, ttl, margin)
			c.before(p)
			p.Ask(Want{ID: "waits", Shard: 8, Cause: messages.CauseCrash})
			p = p.Repaced(c.to, noon)
			if at := p.Soonest(noon); !at.IsZero() && at.Sub(noon) != c.want {
				t.Errorf("the soonest grant is in %v, want %v", at.Sub(noon), c.want)
			}
			if c.want > 0 {
				if grants, _ := p.Next(noon.Add(c.want - 1)); len(grants) > 0 {
					t.Errorf("granted too early: %v", grants)
				}
			}
			if grants, _ := p.Next(noon.Add(c.want)); len(grants) != 1 || grants[0].ID != "waits" {
				t.Errorf("granted %v, want what waits", grants)
			}
		})
	}
}

// When the next permit can be granted, for machines that ask how long they have to wait.
func TestSoonest(t *testing.T) {
	for _, c := range []struct {
		name           string
		maxConcurrency int
		transcript     string
	}{
		{"none waits", 1, `
			0s soonest => never`},
		{"now", 1, `
			0s used 0
			0s ask a/0
			9s soonest => 9s`},
		{"when the bucket is free", 1, `
			0s used 0
			0s ask a/0
			1s soonest => 5.1s`},
		{"in whichever bucket that is sooner", 2, `
			0s used 1
			1s used 0
			1s ask a/0
			1s ask a/1
			1s soonest => 5.1s
			2s used 1
			2s soonest => 6.1s`},
		{"unknown while a permit is out; an overdue one was used at its end", 1, `
			0s ask a/0
			0s ask a/1
			0s next    => a/0 for 2s, wake 3s
			1s soonest => never
			3s soonest => 8.1s`},
		{"not before the hold", 1, `
			0s hold 7s
			0s ask a/0
			0s soonest => 7s`},
		{"in a slot", 1, `
			0s alone 1/2
			0s ask a/0
			0s soonest => 6s`},
		{"never without one", 1, `
			0s alone 1/1
			0s ask a/0
			0s soonest => never`},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, NewPacer(c.maxConcurrency, 2*time.Second, 100*time.Millisecond), c.transcript)
		})
	}
}
