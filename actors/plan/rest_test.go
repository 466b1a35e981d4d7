package plan

import (
	"testing"
	"time"
)

func TestRestBudget(t *testing.T) {
	start := time.Unix(1_800_000_000, 0)
	var b RestBudget
	// spend counts n requests at a time, and returns at which one the alarm was raised; 0: at none.
	spend := func(n int, success bool, after time.Duration) (at int, which Emergency, until time.Duration) {
		for i := 1; i <= n; i++ {
			if w, u, near := b.Spend(success, start.Add(after)); near {
				if at != 0 {
					t.Errorf("a second alarm at %d", i)
				}
				at, which, until = i, w, u.Sub(start)
			}
		}
		return at, which, until
	}
	for _, c := range []struct {
		name    string
		n       int
		success bool
		after   time.Duration
		at      int
		which   Emergency
		until   time.Duration
	}{
		{"one left of the second: upstream alarms at the 49th", 48, true, 0, 0, 0, 0},
		{"it", 1, true, 0, 1, GlobalRateLimitAlmostReached, time.Second},
		{"once", 100, true, 999 * time.Millisecond, 0, 0, 0},
		{"another second", 49, true, time.Second, 49, GlobalRateLimitAlmostReached, 2 * time.Second},
		{"within two seconds", 30, true, 3500 * time.Millisecond, 0, 0, 0},
		{"within two seconds, more", 30, true, 4600 * time.Millisecond, 0, 0, 0},
	} {
		if at, which, until := spend(c.n, c.success, c.after); at != c.at || which != c.which || until != c.until {
			t.Errorf("%s: alarm at %d, %d until %v; want %d, %d until %v", c.name, at, which, until, c.at, c.which, c.until)
		}
	}
	b = RestBudget{}
	// 40 invalid ones a second are no alarm for the second, and 10,000 within ten minutes are one
	for second := range 250 {
		at, which, until := spend(40, false, time.Duration(second)*time.Second)
		if wanted := second == 249; (at == 39) != wanted || wanted && (which != InvalidRequestLimitAlmostReached || until != 10*time.Minute) {
			t.Fatalf("second %d: alarm at %d, %d until %v", second, at, which, until)
		}
	}
	if at, _, _ := spend(1000, false, 9*time.Minute); at != 0 {
		t.Error("alarmed again within the ten minutes")
	}
	if at, which, until := spend(49, true, 10*time.Minute); at != 49 || which != GlobalRateLimitAlmostReached || until != 10*time.Minute+time.Second {
		t.Errorf("after ten minutes: alarm at %d, %d until %v", at, which, until)
	}
	b.Block(start.Add(time.Hour))
	if at, _, _ := spend(100, true, 30*time.Minute); at != 0 {
		t.Error("warned although they were warned already")
	}
}
