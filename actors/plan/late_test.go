package plan

import (
	"testing"
	"time"
)

func TestLate(t *testing.T) {
	for _, c := range []struct {
		name             string
		starved, allowed bool
		late             time.Duration
		want             Lateness
	}{
		{"it hangs", false, false, 0, LateKill},
		{"no process gets CPU time", true, false, 0, LateWait},
		{"for a while", true, false, forgivenFor - 1, LateWait},
		{"for too long", true, false, forgivenFor, LateAsk},
		{"it is its turn", true, true, forgivenFor, LateKill},
		{"there is CPU time again, and it is late still", false, false, forgivenFor, LateKill},
	} {
		if got := Late(c.starved, c.allowed, c.late); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestStretched(t *testing.T) {
	for slow, want := range []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 2 * time.Minute} {
		if got := Stretched(30*time.Second, slow); got != want {
			t.Errorf("behind %d slow starts: %v, want %v", slow, got, want)
		}
	}
}

// One process at a time: the next one's turn comes when the last one is back, or after its time.
func TestKillTurn(t *testing.T) {
	var turn KillTurn
	for i, c := range []struct {
		at      time.Duration
		cluster int
		back    bool
		want    bool
	}{
		{0, 3, false, true},
		{time.Second, 4, false, false},
		{2 * time.Second, 3, false, true},
		{3 * time.Second, 4, true, true},
		{4 * time.Second, 3, false, false},
		{3*time.Second + killTurn, 3, false, true},
	} {
		if got := turn.Take(c.cluster, c.back, noon.Add(c.at)); got != c.want {
			t.Errorf("%d: %v, want %v", i, got, c.want)
		}
	}
}
