package plan

import (
	"testing"
	"time"
)

// The pauses double up to half a minute, and never end.
func TestSearchAgain(t *testing.T) {
	for number, want := range map[int]time.Duration{0: time.Second, 1: 2 * time.Second, 4: 16 * time.Second, 5: 30 * time.Second, 1 << 40: 30 * time.Second} {
		if got := SearchAgain(number, 0.5); got != want {
			t.Errorf("after search %d: %v, want %v", number, got, want)
		}
		if least, most := SearchAgain(number, 0), SearchAgain(number, 0.999); least < want*8/10 || most > want*12/10 || least == most {
			t.Errorf("after search %d: %v to %v, want %v ± 20 %%", number, least, most, want)
		}
	}
}
