package rules

import (
	"testing"
	"time"
)

// A simulation sleeps until Next; it may come early, for a connection that has sent a heartbeat
// since, but never after a deadline.
func TestNext(t *testing.T) {
	w := newWorld(t, Config{HeartbeatInterval: 40 * sec, SessionWindow: 10 * sec})
	tests := []struct {
		name string
		at   time.Duration
		in   Input
		want time.Duration // 0: none
	}{
		{"nothing there", 0, Tick{}, 0},
		{"silence", 0, Opened{1}, 60 * sec},
		{"a heartbeat moves nothing", 30 * sec, Heartbeat{Conn: 1}, 60 * sec},
		{"looked at, and put off", 60 * sec, Tick{}, 90 * sec},
		{"a session that waits", 70 * sec, identify(1, 0, 1), 90 * sec},
		{"comes first", 71 * sec, Closed{1, CloseVanished}, 81 * sec},
		{"and ends; the closed connection is still looked at", 81 * sec, Tick{}, 90 * sec},
		{"nothing left", 90 * sec, Tick{}, 0},
	}
	for _, tt := range tests {
		w.at(tt.at, tt.in)
		got, ok := w.d.Next()
		if want := noon.Add(tt.want); ok != (tt.want > 0) || ok && !got.Equal(want) {
			t.Fatalf("%s: got %s %t, want %s", tt.name, got, ok, want)
		}
	}
	if n := w.d.Counts().Sessions; n != 0 {
		t.Fatalf("%d sessions left", n)
	}
}
