package plan

import (
	"fmt"
	"testing"
	"time"
)

// All with a time to live of 2 s and a margin of 100 ms.
func TestPacer(t *testing.T) {
	for _, c := range []struct {
		name           string
		maxConcurrency int
		transcript     string
	}{
		{"none waits", 1, `
			0s next => wake never`},
		{"one a bucket, 5.1 s after its report", 1, `
			0s    ask a/0
			0s    ask a/1
			0s    next     => a/0 for 2s, wake 3s
			10ms  sent a/0 => bucket 0 true
			10ms  next     => wake 5.11s
			5.1s  next     => wake 5.11s
			5.11s next     => a/1 for 2s, wake never`},
		{"every bucket for itself", 2, `
			0s ask a/0
			0s ask a/1
			0s ask a/2
			0s ask a/3
			0s next     => a/0 for 2s, a/1 for 2s, wake 3s
			1s sent a/1 => bucket 1 true
			1s next     => wake 3s
			2s sent a/0 => bucket 0 true
			2s next     => wake 6.1s
			6.1s next   => a/3 for 2s, wake 7.1s
			7.1s next   => a/2 for 2s, wake never`},
		{"a permit thrown away frees its bucket at once", 1, `
			0s    ask a/0
			0s    ask a/1
			0s    next       => a/0 for 2s, wake 3s
			500ms unused a/0 => bucket 0 true
			500ms next       => a/1 for 2s, wake never`},
		{"but not from what was before it", 1, `
			0s    used 0
			0s    ask a/0
			0s    ask a/1
			5.1s  next       => a/0 for 2s, wake 8.1s
			5.2s  used 0
			5.3s  unused a/0 => bucket 0 true
			5.3s  next       => wake 10.3s
			10.3s next       => a/1 for 2s, wake never`},
		{"a lost report counts as used 1 s after the permit's end", 1, `
			0s   ask a/0
			0s   ask a/1
			0s   next     => a/0 for 2s, wake 3s
			2.9s next     => wake 3s
			3s   next     => wake 8.1s
			3.5s sent a/0 => bucket 0 false
			8.1s next     => a/1 for 2s, wake never`},
		{"a report that comes after the permit's end, unasked", 1, `
			0s   ask a/0
			0s   next     => a/0 for 2s, wake never
			4s   sent a/0 => bucket 0 false
			4s   ask a/1
			4s   next     => wake 8.1s`},
		{"a report twice", 1, `
			0s ask a/0
			0s next     => a/0 for 2s, wake never
			1s sent a/0 => bucket 0 true
			2s sent a/0 => bucket 0 false
			2s ask a/1
			2s next     => wake 6.1s`},
		{"a report of an unknown permit", 1, `
			0s sent x/9 => bucket 0 false`},
		{"a request that is taken back", 1, `
			0s ask a/0
			0s ask a/1
			0s unused a/0 => bucket 0 false
			0s next       => a/1 for 2s, wake never`},
		{"a request asked twice is one", 1, `
			0s ask a/0
			0s ask a/0
			0s next => a/0 for 2s, wake never`},
		{"a request asked again after its grant waits until that is overdue", 1, `
			0s   ask a/0
			0s   next => a/0 for 2s, wake never
			1s   ask a/0
			1s   next => wake 3s
			3s   next => wake 8.1s
			8.1s next => a/0 for 2s, wake never`},
		{"the dead wait no more, but what they hold stays busy", 1, `
			0s   ask a/0
			0s   ask a/1
			0s   ask b/2
			0s   next => a/0 for 2s, wake 3s
			1s   drop a
			1s   next => wake 3s
			3s   next => wake 8.1s
			8.1s next => b/2 for 2s, wake never`},
		{"first start, then crash and reidentify, then operator; then the longest waiting, by 5 s; then the shard", 1, `
			0s  ask o/0 operator
			1s  ask r/2 reidentify
			5s  ask c/1 crash
			5s  ask s/9 start
			6s  ask s/4 start
			10s ask s/3 start
			10s next     => s/4 for 2s, wake 13s
			10s sent s/4 => bucket 0 true
			20s next     => s/9 for 2s, wake 23s
			20s sent s/9 => bucket 0 true
			30s next     => s/3 for 2s, wake 33s
			30s sent s/3 => bucket 0 true
			40s next     => r/2 for 2s, wake 43s
			40s sent r/2 => bucket 0 true
			50s next     => c/1 for 2s, wake 53s
			50s sent c/1 => bucket 0 true
			60s next     => o/0 for 2s, wake never`},
		{"nothing before the hold, of which the longest counts", 1, `
			0s ask a/0
			0s hold 7s
			0s hold 4s
			0s next => wake 7s
			7s next => a/0 for 2s, wake never`},
		{"used by others, or by an earlier run", 4, `
			0s   used 3
			0s   ask a/3
			0s   ask a/7
			1s   next => wake 5.1s
			5.1s next => a/3 for 2s, wake 8.1s`},
		{"no bucket that there is not", 1, `
			0s used 1
			0s ask a/0
			0s next => a/0 for 2s, wake never`},
		{"a wrong clock holds no longer than a bucket may be kept", 1, `
			0s    reported 0 1h
			1s    ask a/0
			1s    next => wake 1m35.1s`},
		{"an owner's next report replaces what lies ahead", 1, `
			0s reported 0 60s m
			1s reported 0 50s n
			2s ask a/0
			2s next => wake 1m5.1s
			3s reported 0 3s m
			3s next => wake 55.1s
			4s reported 0 0s n
			4s next => wake 8.1s`},
		{"but as long as one may be", 1, `
			0s reported 0 80s
			1s ask a/0
			1s next => wake 1m25.1s`},
		{"a bucket is kept on by a permit of an earlier pacer, for no longer than that is used", 1, `
			0s    reported 0 1m
			1s    kept a/0 90s => true
			2s    ask b/1
			2s    next         => wake 1m32s
			20s   sent a/0     => bucket 0 true
			20s   next         => wake 25.1s
			25.1s next         => b/1 for 2s, wake never
			26s   kept c/2 90s => false`},
		{"or until it is reported free", 1, `
			0s     kept a/0 90s => true
			2s     ask b/1
			2s     next         => wake 1m31s
			91s    next         => wake 1m36.1s
			96.1s  next         => b/1 for 2s, wake never`},
		{"nor for what an earlier run recorded: until when that permit might be used", 1, `
			60s   used 0
			1s    kept a/0 90s => true
			20s   sent a/0     => bucket 0 true
			20s   ask b/1
			20s   next         => wake 25.1s`},
		{"a bucket that is kept on and not used is free at once", 1, `
			0s kept a/0 90s => true
			1s unused a/0   => bucket 0 true
			1s ask b/1
			1s next         => b/1 for 2s, wake never`},
		{"what was used stays used, whatever its owner reports next", 1, `
			0s reported 0 0s m
			1s reported 0 20s m
			2s reported 0 -1h m
			2s ask a/0
			2s next => wake 5.1s`},
		{"a report of long ago", 1, `
			0s reported 0 -1h
			1s ask a/0
			1s next => a/0 for 2s, wake never`},
		{"until when something may be used", 2, `
			0s outstanding => never
			0s ask a/0
			0s next        => a/0 for 2s, wake never
			1s ask a/1
			1s next        => a/1 for 2s, wake never
			1s outstanding => 4s
			1s sent a/1    => bucket 1 true
			1s outstanding => 3s`},
		{"what is out, until it counts as used", 2, `
			0s out         => 0 for 0
			0s kept a/0 8s => true
			0s ask a/1
			0s next        => a/1 for 2s, wake never
			2s out         => 2 for 2
			3s out         => 1 for 1
			4s sent a/0    => bucket 0 true
			4s out         => 0 for 0`},
		{"slots: the first machine's is open at noon, for half a second", 1, `
			0s    alone 0/2
			0s    ask a/0
			0s    ask a/1
			100ms next     => a/0 for 400ms, wake 1.5s
			200ms sent a/0 => bucket 0 true
			200ms next     => wake 5.3s
			5.3s  next     => wake 12s
			12s   next     => a/1 for 500ms, wake never`},
		{"slots: the rest of a millisecond is not worth a permit", 1, `
			0s      alone 0/2
			0s      ask a/0
			499.1ms next => wake 12s
			12s     next => a/0 for 500ms, wake never`},
		{"slots: the second machine's opens 6 s later", 1, `
			0s   alone 1/2
			0s   ask a/0
			0s   next => wake 6s
			6.5s next => wake 18s
			18s  next => a/0 for 500ms, wake never`},
		{"slots: by the fleet's clock", 1, `
			0s    alone 0/2 1s
			0s    ask a/0
			0s    next => wake 11s
			11.4s next => a/0 for 100ms, wake never`},
		{"granted ahead of its time, which counts from then", 1, `
			0s     ask a/0
			0s     ask b/1 start 100ms
			0s     next     => a/0 for 2s, wake 3s
			10ms   sent a/0 => bucket 0 true
			10ms   next     => wake 5.01s
			5.01s  next     => b/1 for 2s in 100ms, wake never
			5.02s  ask b/2 start 100ms
			8.1s   next     => wake 8.11s
			8.11s  next     => wake 13.11s`},
		{"granted late, it is not ahead", 1, `
			0s     used 0
			0s     ask b/1 start 100ms
			5.09s  next => b/1 for 2s in 10ms, wake never
			5.095s sent b/1 => bucket 0 true
			5.2s   ask b/2 start 100ms
			5.2s   next     => wake 10.1s
			10.3s  next     => b/2 for 2s, wake never`},
		{"by the clock of the owner of the last identify", 1, `
			0s     ask a/0 start 100ms
			0s     ask a/1 start 100ms
			0s     ask b/2 start 100ms
			0s     next          => a/0 for 2s, wake 3s
			50ms   sent a/0 -9s  => bucket 0 true
			5.05s  next          => a/1 for 2s in 100ms by its own clock from -3.9s, wake 8.15s
			5.2s   sent a/1 -3.8s => bucket 0 true
			10.2s  next          => b/2 for 2s in 100ms, wake never`},
		{"not by that clock when another used the bucket since", 1, `
			0s     ask a/0
			0s     ask a/1 start 100ms
			0s     next         => a/0 for 2s, wake 3s
			50ms   sent a/0 -9s => bucket 0 true
			60ms   used 0
			5.06s  next         => a/1 for 2s in 100ms, wake never`},
		{"nor when another used it after that", 1, `
			0s     ask a/0
			0s     ask a/1 start 100ms
			0s     next          => a/0 for 2s, wake 3s
			50ms   used 0
			40ms   sent a/0 -9s  => bucket 0 true
			5.05s  next          => a/1 for 2s in 100ms, wake never`},
		{"nor when something else holds it back for longer", 1, `
			0s     ask a/0
			0s     ask a/1 start 100ms
			0s     next         => a/0 for 2s, wake 3s
			50ms   sent a/0 -9s => bucket 0 true
			50ms   hold 20s
			20s    next         => a/1 for 2s, wake never`},
		{"slots: nothing is granted ahead of them", 1, `
			0s     alone 1/2
			0s     ask a/0 start 100ms
			5.9s   next => wake 6s
			6s     next => a/0 for 500ms, wake never`},
		{"slots: of several, the one that opens first", 1, `
			1s keep 3/4 2/4
			1s ask a/0
			1s next => wake 12s
			1s keep 2/4 3/4
			1s next => wake 12s`},
		{"slots: a fleet of one has none", 1, `
			0s alone 0/1
			3s ask a/0
			3s next => a/0 for 2s, wake never`},
		{"slots: a machine without one waits for MASTER", 1, `
			0s alone 1/1
			0s ask a/0
			0s next => wake never`},
		{"slots: an empty fleet is one machine", 1, `
			0s alone 0/0
			3s ask a/0
			3s next => a/0 for 2s, wake never`},
	} {
		t.Run(c.name, func(t *testing.T) {
			play(t, NewPacer(c.maxConcurrency, 2*time.Second, 100*time.Millisecond), c.transcript)
		})
	}
}

// Only what keeps its bucket already is taken over.
func TestAdoptOfWhatKeepsNoBucket(t *testing.T) {
	for name, w := range map[string]Want{"not kept": {ID: "a", Hold: HoldFor}, "one identify": {ID: "a", Kept: true}} {
		if p := NewPacer(1, 2*time.Second, 0); p.Adopt(w, noon) || !usableUntil(p).IsZero() {
			t.Errorf("%s: adopted", name)
		}
	}
}

// A bucket that was only asked for, or whose permit was dropped, was not used.
func TestLastIsOfWhatWasUsed(t *testing.T) {
	p := NewPacer(2, 2*time.Second, 0)
	p.Ask(Want{ID: "a", Shard: 0})
	p.Next(noon)
	p.Report("a", false, noon, time.Time{})
	if last := p.Last(); len(last) != 0 {
		t.Errorf("Last: %v, want none", last)
	}
}

func TestPacerKnowsWhatWasUsed(t *testing.T) {
	p := NewPacer(2, 2*time.Second, 0)
	p.Used(0, noon)
	p.Used(0, noon.Add(-time.Hour))
	p.Ask(Want{ID: "a", Shard: 3, Since: noon})
	p.Next(noon)
	p.Report("a", true, noon.Add(time.Second), time.Time{})
	p.Ask(Want{ID: "b", Shard: 5, Since: noon})
	last := p.Last()
	if len(last) != 2 || !last[0].Equal(noon) || !last[1].Equal(noon.Add(time.Second)) {
		t.Errorf("Last: %v", last)
	}
	if w := p.Waiting(); len(w) != 1 || w[0].ID != "b" {
		t.Errorf("Waiting: %v", w)
	}
}

// BenchmarkPacer measures one identify of a fleet that starts: the report of one permit, the next
// one's grant, and a new request.
func BenchmarkPacer(b *testing.B) {
	for _, waiting := range []int{100, 10_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			p, now := NewPacer(16, 2*time.Second, 0), time.Unix(0, 0)
			for shard := range waiting {
				p.Ask(Want{ID: fmt.Sprint(shard), Shard: shard, Since: now})
			}
			for b.Loop() {
				grants, wake := p.Next(now)
				for _, g := range grants {
					p.Report(g.ID, true, now, time.Time{})
					p.Ask(Want{ID: g.ID, Shard: g.Shard, Since: now})
				}
				if !wake.IsZero() {
					now = wake
				}
			}
		})
	}
}
