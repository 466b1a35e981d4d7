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
		n, out           int
		want             bool
	}{
		{"nothing is known", 0, 0, messages.CauseCrash, 1, 9, true},
		{"enough", 1000, 900, messages.CauseCrash, 1, 9, true},
		{"a crash, one above the reserve", 1000, 101, messages.CauseCrash, 1, 0, true},
		{"a crash, at the reserve", 1000, 100, messages.CauseCrash, 1, 0, false},
		{"a start, at the reserve", 1000, 100, messages.CauseStart, 1, 9, true},
		{"an operator, at the reserve", 1000, 1, messages.CauseOperator, 1, 9, true},
		{"a refused session, at the reserve", 1000, 100, messages.CauseReidentify, 1, 0, true},
		{"the second of them", 1000, 100, messages.CauseReidentify, 1, 1, false},
		{"nothing is left", 1000, 0, messages.CauseOperator, 1, 0, false},
		{"ten at once, nothing is known", 0, 0, messages.CauseStart, 10, 0, true},
		{"ten at once, ten are left", 1000, 10, messages.CauseStart, 10, 0, true},
		{"ten at once, nine are left", 1000, 9, messages.CauseStart, 10, 0, false},
		{"an operator, too", 1000, 9, messages.CauseOperator, 10, 0, false},
		{"a crash of ten, ten above the reserve", 1000, 110, messages.CauseCrash, 10, 0, true},
		{"a crash of ten, nine above the reserve", 1000, 109, messages.CauseCrash, 10, 0, false},
	} {
		if got := NewBudget(c.total, c.remaining, 100, time.Time{}).Allows(c.cause, c.n, c.out); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestBudget(t *testing.T) {
	reset := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	b := NewBudget(1000, 400, 800, reset)
	if b.Reserve != 500 || !b.Low(1) {
		t.Errorf("a cold start of 800 of 1000: reserve %d, low %v; want half", b.Reserve, b.Low(1))
	}
	b = b.Spend(500).Spend(-3)
	if b.Remaining != 3 {
		t.Errorf("remaining %d, want 3", b.Remaining)
	}
	if b = b.At(reset.Add(-time.Millisecond)); b.Remaining != 3 {
		t.Errorf("remaining %d before the reset, want 3", b.Remaining)
	}
	if b = b.At(reset); b.Remaining != 1000 || b.Low(1) || b.Reset != reset.Add(24*time.Hour) {
		t.Errorf("after the reset: %+v", b)
	}
	if b = (Budget{}).Spend(5).At(reset); b != (Budget{}) || b.Low(1) {
		t.Errorf("not known: %+v", b)
	}
}

func TestBudgetEver(t *testing.T) {
	for _, c := range []struct {
		name  string
		total int
		cause messages.IdentifyCause
		n     int
		want  bool
	}{
		{"nothing is known", 0, messages.CauseCrash, 5000, true},
		{"a whole day", 1000, messages.CauseStart, 1000, true},
		{"more than a day", 1000, messages.CauseStart, 1001, false},
		{"a crash, all but the reserve", 1000, messages.CauseCrash, 900, true},
		{"a crash, more", 1000, messages.CauseCrash, 901, false},
	} {
		if got := NewBudget(c.total, 0, 100, time.Time{}).Ever(c.cause, c.n); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestBudgetLow(t *testing.T) {
	for _, c := range []struct {
		remaining, n int
		want         bool
	}{{101, 1, false}, {100, 1, true}, {110, 10, false}, {109, 10, true}} {
		if got := NewBudget(1000, c.remaining, 100, time.Time{}).Low(c.n); got != c.want {
			t.Errorf("%d are left, %d are wanted: low %v, want %v", c.remaining, c.n, got, c.want)
		}
	}
}
