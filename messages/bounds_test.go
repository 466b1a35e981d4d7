package messages

import (
	"math"
	"testing"
	"time"
)

// No number of a peer overflows a time.
func TestTimesSaturate(t *testing.T) {
	for _, c := range []struct {
		ms   Milliseconds
		want time.Duration
	}{{0, 0}, {-5, -5 * time.Millisecond}, {math.MaxInt64, math.MaxInt64 / 1_000_000 * 1_000_000}, {math.MinInt64, -math.MaxInt64 / 1_000_000 * 1_000_000}, {math.MaxInt64/1_000_000 + 1, math.MaxInt64 / 1_000_000 * 1_000_000}} {
		if got := c.ms.Duration(); got != c.want {
			t.Errorf("%d ms: %v, want %v", c.ms, got, c.want)
		}
	}
	last, first := UnixMillis(math.MaxInt64).Time(), UnixMillis(math.MinInt64).Time()
	if last.UTC().Year() != 2110 || first.UTC().Year() != 1938 || last.Sub(first) == math.MaxInt64 {
		t.Errorf("from %v to %v", first, last)
	}
}
