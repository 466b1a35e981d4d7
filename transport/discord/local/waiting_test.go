package local

import (
	"testing"
	"time"
)

// Events wait until the bot acknowledges them, unless it is not given them.
func TestWaiting(t *testing.T) {
	s, start := New(Config{Ring: 1000}), int64(1_700_000_000)
	for _, tc := range []struct {
		at     int64 // in seconds
		line   string
		events int
		since  int64
	}{
		{0, "bot identify 513", 0, 0},
		{1, "discord 1 s1", 0, 0},
		{2, `discord 2 GUILD_CREATE {"id":"1"}`, 1, 2},
		{3, `discord 3 MESSAGE_CREATE {"id":"1"}`, 2, 2},
		{4, "bot beat 2", 1, 3},
		{5, "bot died", 1, 3},
		{6, `discord 4 TYPING_START {}`, 2, 3},
		{20, "bot identify 513", 2, 3},
		{21, "bot beat 3", 0, 0}, // the TYPING_START is of no use any more
		{22, `discord 5 MESSAGE_CREATE {"id":"1"}`, 1, 22},
	} {
		now := time.Unix(start+tc.at, 0)
		if err := step(s, now, tc.line); err != nil {
			t.Fatalf("%s: %v", tc.line, err)
		}
		for sent := true; sent; _, sent = s.Next(now) {
		}
		events, since := s.Waiting()
		if events != tc.events || events > 0 && since.Unix() != start+tc.since {
			t.Errorf("%s: %d events wait since %d s, want %d since %d s", tc.line, events, since.Unix()-start, tc.events, tc.since)
		}
	}
}
