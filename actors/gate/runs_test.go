package gate

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// free is the least time between two uses of a bucket.
const free = plan.IdentifyEvery + testMargin

// next ends the run of a gate and starts another, in a fleet with this max_concurrency whose MASTER
// grants nothing.
func next(s *sim.Solo, maxConcurrency int) {
	s.Pass(sim.DiskTime)
	s.Crash()
	gate(s)
	s.Send(fleetOf(maxConcurrency, maxConcurrency, false))
}

// permitted returns when the permits were sent.
func permitted(s *sim.Solo) (all []time.Duration) {
	for _, h := range s.Heard {
		if _, is := h.Msg.(messages.Permit); is {
			all = append(all, h.At)
		}
	}
	return all
}

// lastly checks that the last permit was sent at a moment, or later by at most the disk's time.
func lastly(t *testing.T, s *sim.Solo, want time.Duration) {
	t.Helper()
	all := permitted(s)
	if got := all[len(all)-1]; got < want || got > want+sim.DiskTime {
		t.Errorf("permits after %v, want the last after %v", all, want)
	}
}

// request returns the request of a bot that asks.
func request(id string, shard int) messages.WantPermit {
	return messages.WantPermit{ID: id, Shards: 1, Shard: shard, Cause: messages.CauseStart}
}

// After a crash of CONTROL the next run waits for the permits of the previous one: until five
// seconds after the end of a permit, whose report was in memory only, and after the holds of bots
// that cannot ask.
func TestNextGateWaits(t *testing.T) {
	for name, story := range map[string]func(t *testing.T, s *sim.Solo){
		"for what it granted": func(t *testing.T, s *sim.Solo) {
			s.Send(fleetOf(1, 1, false), request("a", 0))
			next(s, 1)
			s.Send(request("b", 0))
			s.Pass(time.Minute)
			lastly(t, s, testTTL+free)
		},
		"for any bucket, where there are others now": func(t *testing.T, s *sim.Solo) {
			s.Send(fleetOf(8, 8, false))
			for shard := range 8 {
				if shard != 4 {
					s.Send(request(fmt.Sprint("a", shard), shard))
				}
			}
			s.Pass(3 * time.Second)
			s.Send(request("b", 4))
			for _, n := range []int{16, 1} {
				next(s, n)
				s.Send(request("c", n-1))
			}
			s.Pass(time.Minute)
			lastly(t, s, 3*time.Second+testTTL+free)
			s.Send(messages.LinkUp{})
			handed := sim.HeardOf[messages.PaceHandedOver](s)
			if got := len(handed[len(handed)-1].Last); got != 1 {
				t.Errorf("MASTER hears of %d buckets, want 1", got)
			}
		},
		"for any bucket, where it cannot know": func(t *testing.T, s *sim.Solo) {
			s.ReadErr = func(string) error { return errors.New("input/output error") }
			s.Pass(time.Minute)
			began := s.Now() + sim.DiskTime
			next(s, 1)
			s.Send(request("a", 0))
			s.Pass(time.Minute)
			lastly(t, s, began+testTTL+free)
		},
		"for what a bot keeps on": func(t *testing.T, s *sim.Solo) {
			s.Send(fleetOf(1, 1, false), holding("a", 90*time.Second))
			s.Pass(time.Minute)
			s.Send(holding("a", 90*time.Second))
			s.Pass(time.Second)
			next(s, 1)
			s.Send(request("b", 0))
			s.Pass(5 * time.Minute)
			lastly(t, s, 150*time.Second+free)
		},
		"for what a bot keeps for minutes": func(t *testing.T, s *sim.Solo) {
			s.Send(fleetOf(1, 1, false), holding("a", plan.HoldMost-time.Minute))
			next(s, 1)
			s.Send(request("b", 0))
			s.Pass(2 * plan.HoldMost)
			lastly(t, s, plan.HoldMost-time.Minute+free)
		},
		"no longer for what it gives back": func(t *testing.T, s *sim.Solo) {
			s.Send(fleetOf(1, 1, false), holding("a", 90*time.Second))
			next(s, 1)
			s.Pass(time.Second)
			used := s.Now()
			s.Send(messages.PermitUsed{ID: "a", Sent: true}, request("b", 0))
			s.Pass(5 * time.Minute)
			lastly(t, s, used+free)
		},
		"for what followed on what was kept": func(t *testing.T, s *sim.Solo) {
			s.Send(fleetOf(1, 1, false), holding("a", 3*time.Second)) // is not reported
			s.Send(request("b", 0))
			s.Pass(10 * time.Second)
			given := 3*time.Second + time.Second + free // a second later it counts as used
			next(s, 1)
			s.Send(request("c", 0))
			s.Pass(time.Minute)
			lastly(t, s, given+testTTL+free)
		},
	} {
		t.Run(name, func(t *testing.T) {
			sim.PlaySolo(t, func(s *sim.Solo) {
				gate(s)
				story(t, s)
			})
		})
	}
}

// MASTER gets the last use of each bucket. A report sets it, except one so late that the bucket was
// granted again.
func TestGateHandsOver(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		s.Send(fleetOf(2, 2, false), request("a", 0), request("b", 1))
		began := time.Now()
		s.Pass(time.Second)
		s.Send(messages.PermitUsed{ID: "a", Sent: true})
		s.Pass(time.Second)
		s.Send(request("c", 1))
		s.Pass(7 * time.Second) // b is overdue, and c has its bucket
		s.Send(messages.PermitUsed{ID: "b", Sent: true}, messages.LinkUp{})
		given := sim.HeardOf[messages.Permit](s)
		last := sim.HeardOf[messages.PaceHandedOver](s)[0].Last
		if at := last[0].Sub(began); at != time.Second {
			t.Errorf("bucket 0 was used after %v, want 1s", at)
		}
		if !last[1].Equal(given[2].UseBefore) {
			t.Errorf("bucket 1 may be used until %v, want %v", last[1], given[2].UseBefore)
		}
	})
}

// MASTER gets the time until which a bucket is held, as its holder last asked for.
func TestGateHandsOverWhatIsKept(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		s.Send(fleetOf(1, 1, false), holding("a", 90*time.Second))
		s.Pass(time.Minute)
		s.Send(holding("a", 90*time.Second), messages.LinkUp{})
		until := sim.HeardOf[messages.PaceHandedOver](s)[0].Last[0]
		if want := time.Now().Add(90 * time.Second); !until.Equal(want) {
			t.Errorf("kept until %v, want %v", until, want)
		}
	})
}

// A gate that has nothing to write writes nothing.
func TestGateRests(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		s.Send(fleetOf(1, 1, false), request("a", 0))
		s.Pass(time.Hour)
		if got := len(sim.HeardOf[messages.ShareLeft](s)); got != 2 { // at the start, and after the permit
			t.Errorf("%d reports of the share, want 2", got)
		}
	})
	t.Run("although a save failed, since another one followed", func(t *testing.T) {
		sim.PlaySolo(t, func(s *sim.Solo) {
			gate(s)
			s.DiskErr = sim.ErrDiskFull
			s.Send(fleetOf(2, 2, false), request("a", 0))
			s.Pass(sim.DiskTime)
			s.DiskErr = nil
			s.Send(request("b", 1))
			s.Pass(time.Hour)
			if got := len(sim.HeardOf[messages.ShareLeft](s)); got != 2 { // at the start, and after the second permit
				t.Errorf("%d reports of the share, want 2", got)
			}
		})
	})
}

// A save that failed is repeated, though nothing else has to be written.
func TestGateWritesAgain(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		s.DiskErr = sim.ErrDiskFull
		s.Send(fleetOf(1, 1, false), request("a", 0))
		s.Pass(sim.DiskTime)
		s.DiskErr = nil
		s.Pass(plan.SaveAgain)
		var file gateState
		if s.Read(gateFile, &file); len(file.LastIdentify) != 1 {
			t.Errorf("the file has the use of %d buckets, want 1", len(file.LastIdentify))
		}
	})
}

// The gate sends the waiting requests to MASTER oldest first, on each link.
func TestGateAsksInOrder(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		s.Send(fleetOf(24, 1, false), messages.DropPermits{})
		order := rand.Perm(24) // many, as the order of few in a map may be right by chance
		for _, shard := range order {
			s.Send(request(string(rune('a'+shard)), shard))
			s.Pass(time.Millisecond)
		}
		s.Pass(sim.DiskTime)
		s.Send(fleetOf(24, 1, true), messages.LinkUp{}, messages.LinkUp{})
		var got []int
		for _, r := range sim.HeardOf[messages.PermitRequest](s) {
			got = append(got, r.Shard)
		}
		if want := slices.Repeat(order[1:], 2); !slices.Equal(got, want) { // the first has its permit
			t.Errorf("asked for %v, want %v", got, want)
		}
	})
}

// A permit of MASTER is sent as soon as it may be used, by the clock that cannot be set, and until
// it is over; a refused request is sent again when MASTER allows.
func TestGateFollowsMaster(t *testing.T) {
	const in = 300 * time.Millisecond
	for name, c := range map[string]struct {
		answer messages.PermitAnswer
		clock  time.Duration
	}{
		"by its own clock":       {messages.PermitAnswer{Now: new(messages.At(time.Time{}))}, 0},
		"by ours":                {messages.PermitAnswer{NotBefore: new(messages.At(time.Time{}))}, 0},
		"by ours, which was set": {messages.PermitAnswer{NotBefore: new(messages.At(time.Time{}))}, 3 * time.Hour},
		"without a time":         {messages.PermitAnswer{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			sim.PlaySolo(t, func(s *sim.Solo) {
				gate(s)
				s.SetClock(c.clock)
				s.Send(fleetOf(1, 1, true), messages.LinkUp{})
				s.Send(request("a", 0))
				began, now := s.Now(), time.Now()
				a := c.answer
				a.ID, a.Granted, a.InMS = "a", true, messages.Millis(in)
				a.UseWithinMS = messages.Millis(in + testTTL)
				if a.Now != nil {
					a.Now = new(messages.At(now))
				}
				if a.NotBefore != nil {
					a.NotBefore = new(messages.At(now.Add(in)))
				}
				s.Send(a)
				s.Pass(time.Minute)
				lastly(t, s, began+in)
				given := sim.HeardOf[messages.Permit](s)
				if until := given[0].UseBefore.Sub(now); until != in+testTTL {
					t.Errorf("to be used within %v, want %v", until, in+testTTL)
				}
			})
		})
	}
	for wait, want := range map[time.Duration]time.Duration{0: time.Second, 3 * time.Second: 3 * time.Second} {
		sim.PlaySolo(t, func(s *sim.Solo) {
			gate(s)
			s.Send(fleetOf(1, 1, true), messages.LinkUp{})
			s.Send(request("a", 0), messages.PermitAnswer{ID: "a", RetryAfterMS: messages.Millis(wait)})
			for _, c := range []struct {
				after time.Duration
				asked int
			}{{want - time.Millisecond, 1}, {time.Millisecond, 2}} {
				s.Pass(c.after)
				if got := len(sim.HeardOf[messages.PermitRequest](s)); got != c.asked {
					t.Errorf("put off by %v: asked %d times, want %d", wait, got, c.asked)
				}
			}
		})
	}
}
