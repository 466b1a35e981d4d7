package plan

import (
	"testing"
	"time"
)

// A lag is found once, however the age moves, and over once.
func TestLag(t *testing.T) {
	var l Lag
	for i, step := range []struct {
		age         time.Duration
		changed, on bool
	}{
		{0, false, false},
		{44 * time.Second, false, false},
		{45 * time.Second, true, true},
		{time.Hour, false, true},
		{23 * time.Second, false, true},
		{70 * time.Second, false, true},
		{22 * time.Second, true, false},
		{44 * time.Second, false, false},
		{45 * time.Second, true, true},
		{0, true, false},
	} {
		if changed := l.Step(step.age); changed != step.changed || l.On() != step.on {
			t.Errorf("step %d, %v: changed %v, on %v; want %v, %v", i, step.age, changed, l.On(), step.changed, step.on)
		}
	}
}
