package plan

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

func TestEpochOfWrongClock(t *testing.T) {
	at := func(d time.Duration) messages.UnixMillis { return messages.At(noon.Add(d)) }
	epoch := func(d time.Duration) int64 { return noon.Add(d).UnixMilli() }
	for _, c := range []struct {
		name   string
		sent   messages.Initialise
		obeyed int64
		want   bool
	}{
		{"the same MASTER as before", messages.Initialise{Epoch: epoch(0), Now: new(at(time.Hour))}, epoch(0), false},
		{"an outdated MASTER whose clock works", messages.Initialise{Epoch: epoch(-time.Hour), Now: new(at(time.Minute))}, epoch(0), false},
		{"the clock was a day ahead before", messages.Initialise{Epoch: epoch(0), Now: new(at(time.Minute))}, epoch(24 * time.Hour), true},
		{"the clock went back by a minute", messages.Initialise{Epoch: epoch(-time.Minute), Now: new(at(-time.Minute))}, epoch(0), true},
		{"one that does not report its clock", messages.Initialise{Epoch: epoch(0)}, epoch(24 * time.Hour), false},
	} {
		if got := EpochOfWrongClock(c.sent, c.obeyed); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
