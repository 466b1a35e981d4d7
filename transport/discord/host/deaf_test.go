package host

import (
	"math/rand/v2"
	"testing"
)

// TestDeaf plays hours of looks at shards that each have an event with some probability.
func TestDeaf(t *testing.T) {
	type part struct {
		looks int
		odds  []float64 // of each shard's event; below 0: it is not READY
	}
	const hour, never = 720, 0
	for name, tc := range map[string]struct {
		parts []part
		begin int // looks of the last part until shard 0 is deaf, at least; 0: never
		end   int // and at most
	}{
		"busy":                     {[]part{{hour, []float64{1, 1}}, {hour, []float64{0, 1}}}, 60, 61},
		"one in twenty seconds":    {[]part{{hour, []float64{.25, 1, 1}}, {hour, []float64{0, 1, 1}}}, 150, 400},
		"the others as seldom":     {[]part{{hour, []float64{.25, .25, .25}}, {2 * hour, []float64{0, .25, .25}}}, 150, 900},
		"a quiet night":            {[]part{{hour, []float64{1, 1, 1}}, {8 * hour, []float64{.02, .02, .02}}}, never, 0},
		"nothing comes anywhere":   {[]part{{hour, []float64{1, 1}}, {8 * hour, []float64{0, 0}}}, never, 0},
		"alone":                    {[]part{{hour, []float64{1}}, {8 * hour, []float64{0}}}, never, 0},
		"as always":                {[]part{{8 * hour, []float64{.3, 1, 1}}}, never, 0},
		"too seldom to be judged":  {[]part{{hour, []float64{.05, 1}}, {8 * hour, []float64{0, 1}}}, never, 0},
		"too young to be judged":   {[]part{{100, []float64{1, 1}}, {8 * hour, []float64{0, 1}}}, never, 0},
		"never had any":            {[]part{{8 * hour, []float64{0, 1}}}, never, 0},
		"not READY":                {[]part{{hour, []float64{1, 1}}, {8 * hour, []float64{-1, 1}}}, never, 0},
		"the other is not READY":   {[]part{{hour, []float64{1, 1}}, {8 * hour, []float64{0, -1}}}, never, 0},
		"a raid on the other one":  {[]part{{hour, []float64{1, .1}}, {50, []float64{0, 1}}}, never, 0},
		"it was busier a day back": {[]part{{hour, []float64{1, 1}}, {24 * hour, []float64{.2, 1}}, {hour, []float64{0, 1}}}, 180, 500},
	} {
		for seed := range uint64(20) {
			random, ears, events := rand.New(rand.NewPCG(seed, 1)), ears{}, [3]int64{}
			at := 0
			for _, p := range tc.parts {
				at = 0
				for look := 1; look <= p.looks && at == 0; look++ {
					all := map[int]sound{}
					for id, odds := range p.odds {
						if random.Float64() < odds {
							events[id] += 1 + random.Int64N(1000)
						}
						all[id] = sound{ready: odds >= 0, events: events[id]}
					}
					if silent, deaf := ears.step(all)[0]; deaf {
						if at = look; silent < look {
							t.Errorf("%s, seed %d: silent for %d looks at look %d", name, seed, silent, look)
						}
					}
				}
			}
			if at < tc.begin || at > tc.end {
				t.Errorf("%s, seed %d: deaf at look %d, want %d to %d", name, seed, at, tc.begin, tc.end)
			}
		}
	}
}

// A deaf shard is so until an event comes, and is found again only after the same time. That it is
// not READY for a while is no end.
func TestDeafEnds(t *testing.T) {
	all, e := map[int]sound{}, ears{}
	look := func(times int, hears, ready bool) (deaf bool) {
		for range times {
			one, other := all[0], all[1]
			if hears {
				one.events++
			}
			other.events++
			one.ready, other.ready = ready, true
			all[0], all[1] = one, other
			_, deaf = e.step(all)[0]
		}
		return deaf
	}
	for i, step := range []struct {
		looks        int
		hears, ready bool
		want         bool
	}{
		{habitLooks, true, true, false},
		{deafAfter + 1, false, true, true},
		{1, false, false, true},
		{100, false, true, true},
		{1, true, true, false},
		{30, false, true, false},
		{1, true, true, false},
		{deafAfter - 10, false, true, false},
		{60, false, true, true},
	} {
		if got := look(step.looks, step.hears, step.ready); got != step.want {
			t.Errorf("step %d: deaf %v", i, got)
		}
	}
}
