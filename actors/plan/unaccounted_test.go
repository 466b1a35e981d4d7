package plan

import (
	"testing"
	"time"
)

func TestUnaccounted(t *testing.T) {
	reset := time.Unix(100000, 0)
	known := Budget{Total: 1000, Remaining: 900, Reset: reset}
	for name, c := range map[string]struct {
		before, answer Budget
		away, want     int
	}{
		"all of it granted":                {known, known, 0, 0},
		"granted, and not used":            {known, Budget{Total: 1000, Remaining: 904, Reset: reset}, 0, 0},
		"more than that":                   {known, Budget{Total: 1000, Remaining: 875, Reset: reset}, 0, 25},
		"perhaps by an absent machine":     {known, Budget{Total: 1000, Remaining: 875, Reset: reset}, 30, 0},
		"more than the absent machine has": {known, Budget{Total: 1000, Remaining: 875, Reset: reset}, 20, 5},
		"the first answer":                 {Budget{}, known, 0, 0},
		"another day":                      {known, Budget{Total: 1000, Remaining: 100, Reset: reset.Add(24 * time.Hour)}, 0, 0},
		"the same day, by its rounds":      {known, Budget{Total: 1000, Remaining: 890, Reset: reset.Add(time.Second)}, 0, 10},
		"another total":                    {known, Budget{Total: 2000, Remaining: 100, Reset: reset}, 0, 0},
	} {
		if got := Unaccounted(c.before, c.answer, c.away); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	for _, c := range []struct{ answer, unseen, away, want int }{
		{900, 0, 0, 900},
		{908, 10, 0, 900}, // two of the ten are in it
		{910, 10, 0, 900},
		{960, 10, 0, 950}, // unused permits
		{908, 10, 5, 898}, // or those that are away spent it
		{890, 10, 0, 880}, // it contradicts what was known
	} {
		got := known.Corrected(Budget{Total: 1000, Remaining: c.answer, Reset: reset}, c.unseen, c.away)
		if got.Remaining != c.want {
			t.Errorf("%+v: %d", c, got.Remaining)
		}
	}
	if got := (Budget{}).Corrected(known, 10, 0); got.Remaining != 890 {
		t.Errorf("at first: %+v", got)
	}
	because := map[string]bool{}
	for _, c := range []struct {
		n        int
		unasking bool
	}{{3, false}, {3, true}, {30, true}} {
		because[UnaccountedBecause(c.n, 10, c.unasking)] = true
	}
	if len(because) != 3 {
		t.Errorf("%v", because)
	}
}
