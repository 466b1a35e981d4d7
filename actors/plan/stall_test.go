package plan

import (
	"testing"
	"time"
)

func TestStalls(t *testing.T) {
	var s Stalls
	began := time.Unix(1000, 0)
	for _, c := range []struct {
		name     string
		at, late time.Duration
		want     bool
	}{
		{"the first actor that notices", 60 * time.Second, 58 * time.Second, true},
		{"the next", 60 * time.Second, 55 * time.Second, false},
		{"one that is busy first", 63 * time.Second, 57 * time.Second, false},
		{"another stall", 90 * time.Second, 20 * time.Second, true},
		{"one that began before the last was noticed", 91 * time.Second, 40 * time.Second, false},
	} {
		if got := s.New(c.late, began.Add(c.at)); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
