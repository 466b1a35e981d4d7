package plan

import (
	"testing"
	"time"
)

func TestQuota(t *testing.T) {
	q, now := Peer(), time.Unix(1000, 0)
	passed := 0
	for range 100 {
		if times, ok := q.Pass(now); ok && times == 1 {
			passed++
		}
	}
	if passed != 20 {
		t.Errorf("%d passed at once, want 20", passed)
	}
	if times, ok := q.Pass(now.Add(6 * time.Second)); !ok || times != 81 {
		t.Errorf("then one that covers %d, want 81", times)
	}
}

func TestShare(t *testing.T) {
	s, now := Limiter{Burst: 3, PerSecond: 2}, time.Unix(1000, 0)
	for _, c := range []struct {
		name string
		pass time.Duration
		took int
		wait time.Duration // after that
	}{
		{"a new one is full", 0, 3, 500 * time.Millisecond},
		{"half of one came back", 250 * time.Millisecond, 0, 250 * time.Millisecond},
		{"and the other half", 250 * time.Millisecond, 1, 500 * time.Millisecond},
		{"no more than the burst", time.Hour, 3, 500 * time.Millisecond},
		{"the clock was set back", -time.Hour, 0, 500 * time.Millisecond},
		{"and goes on from there", time.Second, 2, 500 * time.Millisecond},
	} {
		now = now.Add(c.pass)
		took := 0
		for s.Take(now) {
			took++
		}
		if wait := s.Wait(now); took != c.took || wait != c.wait {
			t.Errorf("%s: took %d, waits %v; want %d, %v", c.name, took, wait, c.took, c.wait)
		}
	}
}
