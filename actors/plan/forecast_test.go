package plan

import (
	"fmt"
	"testing"
	"time"
)

func TestForesee(t *testing.T) {
	start := Start{Shards: 40, MaxConcurrency: 16, PerCluster: 16, Machines: 3, Spares: 1, Margin: 100 * time.Millisecond, Budget: NewBudget(1000, 90, 40, time.Time{})}
	restart, small := start, start
	restart.Resumes = true
	small.Budget = NewBudget(1000, 30, 40, time.Time{})
	unknown := start
	unknown.Budget = Budget{}
	for _, c := range []struct {
		name  string
		start Start
		want  string
	}{
		{"a start", start, "[{0s 0-15} {5.1s 16-31} {10.2s 32-39}] 10.2s 40 50 false [[0-31] [32-39] []]"},
		{"a restart", restart, "[] 0s 0 90 false [[0-31] [32-39] []]"},
		{"too little is left", small, "[{0s 0-15} {5.1s 16-31} {10.2s 32-39}] 10.2s 40 -10 true [[0-31] [32-39] []]"},
		{"what is left is unknown", unknown, "[{0s 0-15} {5.1s 16-31} {10.2s 32-39}] 10.2s 40 -40 false [[0-31] [32-39] []]"},
	} {
		f := Foresee(c.start)
		if got := fmt.Sprint(f.Waves, f.Last, f.Identifies, f.Left, f.Low, f.Machines); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
