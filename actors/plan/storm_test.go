package plan

import (
	"testing"
	"time"
)

// Identifies wanted at a pace are let through, or held back, at these moments.
func TestStorm(t *testing.T) {
	for _, c := range []struct {
		name   string
		n      int // identifies each time
		most   int
		batch  int
		every  time.Duration
		times  int
		passed int // let through
	}{
		{"as many as are no storm", 1, 6, 3, time.Second, 6, 6},
		{"one more waits", 1, 6, 3, time.Second, 60, 6},
		{"for a minute, then a batch goes", 1, 6, 3, time.Second, 69, 9},
		{"then two minutes", 1, 6, 3, time.Second, 180, 9},
		{"and one more batch", 1, 6, 3, time.Second, 193, 12},
		{"a slow pace is no storm", 1, 6, 3, 2 * time.Minute, 500, 500},
		{"four starts of a cluster that resumes nothing", 3, 12, 3, time.Minute, 5, 4},
		{"a day of it", 1, 20, 10, time.Second, 86400, 20 + 10*12},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s Storm
			passed, now := 0, noon
			for range c.times {
				var wait time.Duration
				if s, wait = s.Ask(now, c.n, c.most, c.batch); wait == 0 {
					passed++
					for range c.n {
						s = s.Sent(now)
					}
				}
				now = now.Add(c.every)
			}
			if passed != c.passed {
				t.Errorf("%d were let through, want %d", passed, c.passed)
			}
		})
	}
}

// What was sent counts for the length of the window, whether more is sent since or not.
func TestStormCount(t *testing.T) {
	var s Storm
	for at := range 3 {
		s = s.Sent(noon.Add(time.Duration(at) * time.Minute))
	}
	for after, want := range map[time.Duration]int{2 * time.Minute: 3, stormWindow - 1: 3, stormWindow: 2, stormWindow + 2*time.Minute: 0} {
		if got := s.Count(noon.Add(after)); got != want {
			t.Errorf("after %v: %d, want %d", after, got, want)
		}
	}
}

// A storm is over when nothing is wanted for long enough, and not before: the wait goes on growing
// until then.
func TestStormEnds(t *testing.T) {
	for _, c := range []struct {
		name  string
		calm  time.Duration
		storm bool
	}{
		{"the length of the window", stormWindow, false},
		{"a bit less", stormWindow - time.Second, true},
	} {
		var s Storm
		for range 4 {
			s, _ = s.Ask(noon, 1, 3, 1)
			s = s.Sent(noon)
		}
		if !s.Held() {
			t.Fatal("four of three are no storm")
		}
		s, _ = s.Ask(noon.Add(c.calm), 1, 10, 1)
		if s.Held() != c.storm {
			t.Errorf("%s: a storm %v, want %v", c.name, s.Held(), c.storm)
		}
	}
}
