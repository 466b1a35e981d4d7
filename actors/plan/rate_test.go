package plan

import (
	"math"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	type report struct {
		after time.Duration // the start
		count int64
	}
	for name, c := range map[string]struct {
		reports []report
		want    float64
	}{
		"nothing":                 {nil, -1},
		"one count":               {[]report{{0, 100}}, -1},
		"two":                     {[]report{{0, 100}, {5 * time.Second, 160}}, 12},
		"to a tenth":              {[]report{{0, 0}, {3 * time.Second, 10}}, 3.3},
		"none in between":         {[]report{{0, 100}, {5 * time.Second, 100}}, 0},
		"only the last two":       {[]report{{0, 0}, {5 * time.Second, 1000}, {10 * time.Second, 1010}}, 2},
		"too soon":                {[]report{{0, 0}, {999 * time.Millisecond, 100}}, -1},
		"too soon for another":    {[]report{{0, 0}, {time.Second, 10}, {1100 * time.Millisecond, 500}}, 10},
		"another counter":         {[]report{{0, 0}, {5 * time.Second, 50}, {10 * time.Second, 3}}, -1},
		"and its rate":            {[]report{{0, 50}, {5 * time.Second, 3}, {10 * time.Second, 8}}, 1},
		"a clock that went back":  {[]report{{5 * time.Second, 0}, {0, 10}}, -1},
		"as many as there can be": {[]report{{0, 0}, {time.Second, math.MaxInt64}}, math.MaxInt64},
	} {
		var r Rate
		for _, one := range c.reports {
			r.Count(one.count, time.Unix(1e9, 0).Add(one.after))
		}
		if got := r.PerSecond(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
