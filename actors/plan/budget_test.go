package plan

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func TestBudgetAllows(t *testing.T) {
	for _, c := range []struct {
		name             string
		total, remaining int
		cause            messages.IdentifyCause
		out              int
		want             bool
	}{
		{"nothing is known", 0, 0, messages.CauseCrash, 9, true},
		{"enough", 1000, 900, messages.CauseCrash, 9, true},
		{"a crash, one above the reserve", 1000, 101, messages.CauseCrash, 0, true},
		{"a crash, at the reserve", 1000, 100, messages.CauseCrash, 0, false},
		{"a start, at the reserve", 1000, 100, messages.CauseStart, 9, true},
		{"an operator, at the reserve", 1000, 1, messages.CauseOperator, 9, true},
		{"a refused session, at the reserve", 1000, 100, messages.CauseReidentify, 0, true},
		{"the second of them", 1000, 100, messages.CauseReidentify, 1, false},
		{"nothing is left", 1000, 0, messages.CauseOperator, 0, false},
	} {
		if got := NewBudget(c.total, c.remaining, 100, time.Time{}).Allows(c.cause, c.out); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestBudget(t *testing.T) {
	reset := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	b := NewBudget(1000, 400, 800, reset)
	if b.Reserve != 500 || !b.Low() {
		t.Errorf("a cold start of 800 of 1000: reserve %d, low %v; want half", b.Reserve, b.Low())
	}
	b = b.Spend(500).Spend(-3)
	if b.Remaining != 3 {
		t.Errorf("remaining %d, want 3", b.Remaining)
	}
	if b = b.At(reset.Add(-time.Millisecond)); b.Remaining != 3 {
		t.Errorf("remaining %d before the reset, want 3", b.Remaining)
	}
	if b = b.At(reset); b.Remaining != 1000 || b.Low() || b.Reset != reset.Add(24*time.Hour) {
		t.Errorf("after the reset: %+v", b)
	}
	if b = (Budget{}).Spend(5).At(reset); b != (Budget{}) || b.Low() {
		t.Errorf("not known: %+v", b)
	}
}
