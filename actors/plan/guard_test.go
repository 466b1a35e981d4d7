package plan

import (
	"testing"
	"time"
)

func TestOutage(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	type see struct {
		at      time.Duration
		out     int // of 20
		ready   bool
		on      bool
		changed bool
		look    time.Duration // 0: at the next change
	}
	for _, c := range []struct {
		name string
		sees []see
	}{
		{"a fifth is no outage", []see{{0, 4, false, false, false, 0}, {10 * time.Second, 4, false, false, false, 0}}},
		{"more than a fifth for five seconds is", []see{
			{0, 5, false, false, false, 5 * time.Second},
			{2 * time.Second, 9, false, false, false, 5 * time.Second},
			{5 * time.Second, 9, false, true, true, 0},
			{6 * time.Second, 20, false, true, false, 0}}},
		{"a blip is none", []see{{0, 20, false, false, false, 5 * time.Second}, {time.Second, 2, true, false, false, 0}, {5 * time.Second, 2, false, false, false, 0}}},
		{"nor are two", []see{
			{0, 20, false, false, false, 5 * time.Second},
			{time.Second, 2, true, false, false, 0},
			{10 * time.Second, 20, false, false, false, 15 * time.Second},
			{11 * time.Second, 4, false, false, false, 0},
			{20 * time.Second, 20, false, false, false, 25 * time.Second}}},
		{"it ends with the first one READY", []see{
			{0, 20, false, false, false, 5 * time.Second},
			{5 * time.Second, 20, false, true, true, 0},
			{time.Minute, 3, false, true, false, 0}, // those that died are not out, and not back
			{2 * time.Minute, 19, true, false, true, 0}}},
	} {
		var o Outage
		for i, s := range c.sees {
			changed, look := o.See(s.out, 20, s.ready, start.Add(s.at))
			wantLook := time.Time{}
			if s.look != 0 {
				wantLook = start.Add(s.look)
			}
			if o.On != s.on || changed != s.changed || !look.Equal(wantLook) {
				t.Errorf("%s, look %d: on %v, changed %v, look %v; want %v, %v, %v", c.name, i, o.On, changed, look, s.on, s.changed, wantLook)
			}
		}
	}
}
