package messages

import (
	"testing"
	"time"
	"unsafe"
)

// suspended returns a moment as it looks after the machine was suspended: the wall clock advanced
// by d, the monotonic clock did not. It edits the seconds in time.Time's first word, since nothing
// else makes such a moment while a test runs.
func suspended(t time.Time, d time.Duration) time.Time {
	*(*uint64)(unsafe.Pointer(&t)) -= uint64(d/time.Second) << 30
	return t
}

func TestLeft(t *testing.T) {
	in := time.Now().Add(time.Minute)
	for name, c := range map[string]struct {
		until time.Time
		want  time.Duration
	}{
		"as ever":                  {in, time.Minute},
		"by the wall clock alone":  {in.Round(0), time.Minute},
		"suspended for 50 s":       {suspended(in, 50*time.Second), 10 * time.Second},
		"suspended for an hour":    {suspended(in, time.Hour), -59 * time.Minute},
		"the wall clock went back": {suspended(in, -time.Hour), time.Minute},
		"over":                     {time.Now().Add(-time.Hour), -time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Left(c.until); got > c.want || got < c.want-10*time.Second {
				t.Errorf("%v, want nearly %v", got, c.want)
			}
		})
	}
}
