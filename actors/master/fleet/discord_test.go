package fleet

import (
	"errors"
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
)

// When Discord is asked, and what follows while it does not answer.
func TestDiscord(t *testing.T) {
	refused := Answered{Err: errors.New("dial: refused")}
	tell(t, map[string]func(t *testing.T) *scene{
		"MASTER without Discord and nothing is served": func(t *testing.T) *scene { // each machine is greeted once
			s := play(t)
			s.skip(3 * time.Second)
			s.arrive("m1")
			s.do("Discord: no answer", refused)
			s.skip(time.Minute)
			s.do("Discord: no answer", refused)
			return s
		},
		"MASTER without Discord and two machines": func(t *testing.T) *scene { // the second reports as of before the greeting that follows from the first
			s := play(t, expect(2))
			s.arrive("m1", serving(900, half[0], rng(0, 7)))
			s.arrive("m2", serving(900, half[1], rng(8, 15)))
			s.skip(3 * time.Second)
			return s
		},
		"shards that Discord wants to be more": func(t *testing.T) *scene { // it is asked once for all that it closes within a minute
			s := twoAndSpare(t)
			s.fatal("m1", 4011)
			s.fatal("m2", 4011)
			s.discord(32, 1, 900)
			s.fatal("m1", 4011)
			s.skip(2 * time.Minute)
			s.fatal("m1", 4011)
			return s
		},
		"large start": func(t *testing.T) *scene { // Discord is asked before it, unless it was of late
			s := play(t)
			s.discord(64, 1, 1000)
			s.arrive("m1")
			s.up("m1")
			s.arrive("m2")
			s.skip(2 * time.Minute)
			s.lose("m1")
			s.skip(40 * time.Second)
			s.discord(64, 1, 900)
			return s
		},
	})
}

// The day's budget ends when Discord's answer ends it.
func TestBudgetEnds(t *testing.T) {
	s := play(t)
	for _, effect := range s.fleet.Step(Answered{Bot: plan.GatewayBot{Shards: 16, MaxConcurrency: 1, Total: 1000, Remaining: 900, ResetAfter: time.Hour}}, s.Now()) {
		if b, is := effect.(Budget); is && !b.Reset.Equal(s.Now().Add(time.Hour)) {
			t.Errorf("it ends %v from now, want an hour", b.Reset.Sub(s.Now()))
		}
	}
}
