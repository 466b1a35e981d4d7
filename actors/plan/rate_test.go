package plan

import (
	"math"
	"testing"
	"time"
)

func TestRate(t *testing.T) {
	type told struct {
		after time.Duration // the start
		count int64
	}
	for name, c := range map[string]struct {
		told []told
		want float64
	}{
		"nothing":                  {nil, -1},
		"one count":                {[]told{{0, 100}}, -1},
		"two":                      {[]told{{0, 100}, {5 * time.Second, 160}}, 12},
		"to a tenth":               {[]told{{0, 0}, {3 * time.Second, 10}}, 3.3},
		"none in between":          {[]told{{0, 100}, {5 * time.Second, 100}}, 0},
		"only the last two":        {[]told{{0, 0}, {5 * time.Second, 1000}, {10 * time.Second, 1010}}, 2},
		"too soon to tell":         {[]told{{0, 0}, {999 * time.Millisecond, 100}}, -1},
		"too soon to tell another": {[]told{{0, 0}, {time.Second, 10}, {1100 * time.Millisecond, 500}}, 10},
		"another counter":          {[]told{{0, 0}, {5 * time.Second, 50}, {10 * time.Second, 3}}, -1},
		"and its rate":             {[]told{{0, 50}, {5 * time.Second, 3}, {10 * time.Second, 8}}, 1},
		"a clock that went back":   {[]told{{5 * time.Second, 0}, {0, 10}}, -1},
		"as many as there can be":  {[]told{{0, 0}, {time.Second, math.MaxInt64}}, math.MaxInt64},
	} {
		var r Rate
		for _, one := range c.told {
			r.Count(one.count, time.Unix(1e9, 0).Add(one.after))
		}
		if got := r.PerSecond(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
