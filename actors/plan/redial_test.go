package plan

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func TestRedial(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name   string
		code   int
		wasUp  bool
		tries  int
		random float64
		want   time.Duration
	}{
		{"never up", 0, false, 1, 0.5, 30 * s},
		{"never up, the shortest", 0, false, 1, 0, 27 * s},
		{"never up, long after", 0, false, 99, 0.75, 31500 * time.Millisecond},
		{"just lost", 0, true, 0, 0, 0},
		{"first try failed", 0, true, 1, 0.5, 1 * s},
		{"second", 0, true, 2, 0.5, 2 * s},
		{"third", 0, true, 3, 0.5, 4 * s},
		{"fourth", 0, true, 4, 0.5, 8 * s},
		{"fifth", 0, true, 5, 0.5, 16 * s},
		{"sixth", 0, true, 6, 0.5, 30 * s},
		{"the hundredth", 0, true, 100, 0.5, 30 * s},
		{"its jitter", 0, true, 2, 0.25, 1900 * time.Millisecond},
		{"unauthorised", messages.CloseUnauthorised, true, 0, 0.5, 30 * s},
		{"malformed", messages.CloseMalformedRequest, false, 1, 0.5, 30 * s},
		{"already connected", messages.CloseAlreadyConnected, true, 1, 0.5, 30 * s},
		{"dead, after it was up", messages.CloseDead, true, 0, 0.5, 0},
		{"superseded", messages.CloseSuperseded, true, 0, 0.9, 60 * s},
		{"stale epoch", messages.CloseStaleEpoch, true, 0, 0.5, 30 * s},
		{"going away", 1001, true, 0, 0.5, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := RedialAfter(c.code, c.wasUp, c.tries, c.random); got != c.want {
				t.Errorf("RedialAfter: %v, want %v", got, c.want)
			}
		})
	}
}

func TestJitter(t *testing.T) {
	for _, c := range []struct {
		d             time.Duration
		share, random float64
		want          time.Duration
	}{
		{10 * time.Second, 0.2, 0, 8 * time.Second},
		{10 * time.Second, 0.2, 0.5, 10 * time.Second},
		{10 * time.Second, 0.2, 0.75, 11 * time.Second},
		{0, 0.2, 0.9, 0},
		{time.Second, 0, 0.9, time.Second},
	} {
		if got := Jitter(c.d, c.share, c.random); got != c.want {
			t.Errorf("Jitter(%v, %v, %v) = %v, want %v", c.d, c.share, c.random, got, c.want)
		}
	}
}
