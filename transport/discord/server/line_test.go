package server

import (
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// In simulated time: each value is delayed by 0 to the jitter, never before the previous one; the
// delays of values put in at different times do not add up.
func TestLineDelays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &Server{seed: 7}
		const jitter = 80 * time.Millisecond
		s.jitter.Store(int64(jitter))
		l := newLine[time.Time](s, 1, 0)
		done := make(chan struct{})
		var got []time.Duration
		go func() {
			defer close(done)
			var last time.Time
			l.each(func(at, put time.Time) bool {
				now := time.Now()
				if late := now.Sub(put); late < 0 || late > jitter || at.Before(last) || !now.Equal(at) {
					t.Errorf("put at %s, due at %s, came %s late", put, at, late)
				}
				got, last = append(got, now.Sub(put)), at
				return true
			})
		}()
		for range 200 {
			l.put(time.Now())
			time.Sleep(3 * time.Millisecond)
		}
		l.end()
		l.put(time.Now()) // too late: ignored
		<-done
		if len(got) != 200 {
			t.Fatalf("%d came, want 200", len(got))
		}
	})
}

func TestLineWithoutJitterDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLine[int](&Server{}, 1, 1)
		began := time.Now()
		for i := range 3 {
			l.put(i)
		}
		l.end()
		sum := 0
		l.each(func(_ time.Time, v int) bool { sum += v; return true })
		if sum != 3 || !time.Now().Equal(began) {
			t.Fatalf("sum %d after %s, want 3 at once", sum, time.Since(began))
		}
	})
}

func TestLineOverflows(t *testing.T) {
	l := newLine[int](&Server{}, 1, 1)
	for i := range lineMax + 1 {
		l.put(i)
	}
	l.each(func(time.Time, int) bool { t.Error("an overflown line gave a value"); return false })
}

func TestSocketsLimit(t *testing.T) {
	s := newSockets(nil)
	a, _ := net.Pipe()
	first := &socket{a, s}
	s.add(first)
	for range connectionsMax - 1 {
		s.add(&socket{nil, s})
	}
	if s.add(&socket{nil, s}) {
		t.Fatal("one too many was taken")
	}
	_ = first.Close()
	if !s.add(&socket{nil, s}) {
		t.Fatal("the place of a closed one stayed taken")
	}
}
