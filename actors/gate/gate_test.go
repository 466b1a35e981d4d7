package gate

import (
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

const (
	testTTL    = 2 * time.Second
	testMargin = 100 * time.Millisecond
)

// gate starts a run of a gate.
func gate(s *sim.Solo) {
	s.Play(func(w *world.World, ear *actor.PID) *actor.Props {
		addresses := world.Addresses{MasterLink: ear, Clusters: ear, Events: ear}
		return New(w, addresses, Options{TTL: testTTL, Margin: testMargin})
	})
}

// fleetOf returns the settings of a fleet; permits: its MASTER grants identifies.
func fleetOf(shards, maxConcurrency int, permits bool) messages.Settings {
	return messages.Settings{Token: "t", ShardCount: shards, MaxConcurrency: maxConcurrency,
		ShardsPerCluster: shards, Permits: permits}
}

// requests returns a request for each shard of a cluster.
func requests(shards int) (all []any) {
	for shard := range shards {
		all = append(all, messages.WantPermit{ID: fmt.Sprint("w", shard), Shards: shards, Shard: shard,
			Cause: messages.CauseStart})
	}
	return all
}

// holding returns the request of a bot that cannot ask: it holds the bucket of shard 0.
func holding(id string, hold time.Duration) messages.WantPermit {
	return messages.WantPermit{ID: id, Shards: 1, Cause: messages.CauseStart, Hold: hold}
}

// A bucket's use is on disk before its permit is sent, so that the next run knows it.
func TestGateWritesBeforeItGrants(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		given := 0
		s.OnHeard = func(msg any) {
			p, is := msg.(messages.Permit)
			if !is {
				return
			}
			given++
			var file gateState
			s.Read(gateFile, &file)
			noted := file.LastIdentify[p.Shard].Time()
			if noted.Before(p.UseBefore.Truncate(time.Millisecond)) {
				t.Errorf("shard %d may identify until %v, the file has %v", p.Shard, p.UseBefore, noted)
			}
		}
		s.Send(fleetOf(16, 16, false))
		s.Send(requests(16)...)
		s.Pass(time.Second)
		if given != 16 {
			t.Errorf("%d permits, want 16", given)
		}
	})
}

// A report ends the hold of a bucket, for the next run too: it was held for minutes, and is free
// five seconds after its use.
func TestGateGivesBackForTheNextLife(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		s.Send(fleetOf(1, 1, false), holding("first", 5*time.Minute))
		s.Pass(sim.DiskTime)
		s.Send(messages.PermitUsed{ID: "first", Sent: true})
		s.Pass(sim.DiskTime)
		s.Crash()
		gate(s)
		s.Send(fleetOf(1, 1, false), holding("second", 5*time.Minute))
		s.Pass(plan.IdentifyEvery + testMargin)
		if got := len(sim.HeardOf[messages.Permit](s)); got != 2 {
			t.Errorf("%d permits, want 2", got)
		}
	})
}

// Where the last identifies are not on record although this machine had bots, each bucket may have
// been used just now. A new installation does not wait.
func TestGateWithoutMemory(t *testing.T) {
	for name, c := range map[string]struct {
		files     map[string]string
		survivors bool
		waits     bool
	}{
		"a new installation":              {},
		"MASTER's file, and CONTROL's":    {files: map[string]string{"discord.json": "{}", "daemon.json": "{}"}},
		"nothing was identified":          {files: map[string]string{"cluster-0.json": "{}", gateFile: `{"max_concurrency":2,"last_identify":{}}`}},
		"bots run":                        {survivors: true, waits: true},
		"bots run, none identified":       {files: map[string]string{gateFile: `{"max_concurrency":2,"last_identify":{}}`}, survivors: true},
		"a record of a cluster":           {files: map[string]string{"cluster-12.json": "{}"}, waits: true},
		"sessions":                        {files: map[string]string{"sessions-0.json": "{}"}, waits: true},
		"what the fleet is":               {files: map[string]string{"link.json": "{}"}, waits: true},
		"a file without the last of them": {files: map[string]string{gateFile: `{"max_concurrency":2}`}, waits: true},
	} {
		t.Run(name, func(t *testing.T) {
			sim.PlaySolo(t, func(s *sim.Solo) {
				for name, text := range c.files {
					s.Damage(name, []byte(text))
				}
				s.Play(func(w *world.World, ear *actor.PID) *actor.Props {
					return New(w, world.Addresses{MasterLink: ear, Clusters: ear, Events: ear}, Options{TTL: testTTL, Margin: testMargin, Survivors: c.survivors})
				})
				s.Send(fleetOf(2, 2, false))
				s.Send(requests(2)...)
				want := 2
				if c.waits {
					want = 0
				}
				s.Pass(plan.IdentifyEvery)
				if got := len(sim.HeardOf[messages.Permit](s)); got != want {
					t.Errorf("%d permits within an interval, want %d", got, want)
				}
				s.Pass(testTTL + testMargin + 2*sim.DiskTime)
				if got := len(sim.HeardOf[messages.Permit](s)); got != 2 {
					t.Errorf("%d permits after it, want 2", got)
				}
			})
		})
	}
}

// A panic costs a moment, whichever message it takes: the disk's word, MASTER's, or a timer. Where
// it comes again and again the gate tries about once a second.
func TestGateRecovers(t *testing.T) {
	t.Run("from the word of the disk", func(t *testing.T) {
		sim.PlaySolo(t, func(s *sim.Solo) {
			gate(s)
			s.Send(fleetOf(1, 1, false))
			s.Panic = sim.Once[gateSaved]()
			s.Send(requests(1)...)
			s.Pass(2 * sim.DiskTime)
			if got := len(sim.HeardOf[messages.Permit](s)); got != 1 {
				t.Errorf("%d permits, want 1", got)
			}
		})
	})
	t.Run("from the word of MASTER", func(t *testing.T) {
		sim.PlaySolo(t, func(s *sim.Solo) {
			gate(s)
			s.Send(fleetOf(1, 1, true), messages.LinkUp{})
			s.Send(requests(1)...)
			s.Panic = sim.Once[messages.PermitAnswer]()
			s.Send(messages.PermitAnswer{ID: "w0", RetryAfterMS: 500})
			s.Pass(1100 * time.Millisecond)
			if got := len(sim.HeardOf[messages.PermitRequest](s)); got != 2 {
				t.Errorf("MASTER was asked %d times, want 2", got)
			}
		})
	})
	t.Run("from its timers", func(t *testing.T) {
		sim.PlaySolo(t, func(s *sim.Solo) {
			gate(s)
			s.Send(fleetOf(2, 1, false))
			s.Send(requests(2)...)
			panics := 0
			s.Panic = func(_ string, msg any) bool {
				_, is := msg.(world.Timeout)
				if is {
					panics++
				}
				return is
			}
			s.Pass(sim.DiskTime)
			s.Send(messages.PermitUsed{ID: "w0", Sent: true})
			s.Pass(15 * time.Second)
			if panics < 8 || panics > 12 {
				t.Errorf("%d tries in ten seconds", panics)
			}
			s.Panic = nil
			s.Pass(1100 * time.Millisecond)
			if got := len(sim.HeardOf[messages.Permit](s)); got != 2 {
				t.Errorf("%d permits, want 2", got)
			}
		})
	})
}

// After the loss of the link the gate grants once every permit that MASTER granted to any machine
// is over, not before and not later.
func TestGateWaitsForWhatMasterGranted(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		s.Send(fleetOf(1, 1, true), messages.LinkUp{}, messages.LinkDown{})
		lost := s.Now()
		s.Send(requests(1)...)
		s.Pass(time.Minute)
		for _, h := range s.Heard {
			if _, is := h.Msg.(messages.Permit); is {
				least := plan.Lead + testTTL + plan.IdentifyEvery + testMargin
				if after := h.At - lost; after < least || after > least+sim.DiskTime {
					t.Errorf("a permit %v after the link, want %v", after, least)
				}
				return
			}
		}
		t.Error("no permit")
	})
}

// While the fleet is halted the gate requests nothing from MASTER, and grants nothing at its own
// pace.
func TestGateIsHalted(t *testing.T) {
	for _, permits := range []bool{true, false} {
		sim.PlaySolo(t, func(s *sim.Solo) {
			gate(s)
			halted := fleetOf(1, 1, permits)
			s.Send(halted, messages.LinkUp{})
			halted.Halted = true
			s.Send(halted)
			s.Send(requests(1)...)
			s.Pass(time.Minute)
			asked, given := sim.HeardOf[messages.PermitRequest](s), sim.HeardOf[messages.Permit](s)
			if len(asked)+len(given) != 0 {
				t.Errorf("permits of MASTER %v: asked %v, given %v", permits, asked, given)
			}
		})
	}
}

// A permit that expired in the socket, by either clock, is dropped, and MASTER is asked again.
func TestGateThrowsAwayWhatIsOver(t *testing.T) {
	for _, slots := range []time.Duration{0, time.Millisecond} { // 0: unknown, so the wall clock decides
		t.Run(fmt.Sprint("slots ahead by ", slots), func(t *testing.T) {
			sim.PlaySolo(t, func(s *sim.Solo) {
				gate(s)
				settings := fleetOf(1, 1, true)
				settings.SlotsAhead = slots
				s.Send(settings, messages.LinkUp{})
				s.Send(requests(1)...)
				granted := messages.At(time.Now())
				s.Pass(testTTL + time.Millisecond)
				s.Send(messages.PermitAnswer{ID: "w0", Granted: true,
					UseWithinMS: messages.Millis(testTTL), Now: &granted})
				s.Pass(sim.DiskTime)
				if got := sim.HeardOf[messages.PermitReport](s); len(got) != 1 || got[0].Sent {
					t.Errorf("reported %+v, want that it was not sent", got)
				}
				if got := sim.HeardOf[messages.Permit](s); len(got) != 0 {
					t.Errorf("given %v, want nothing", got)
				}
				if got := sim.HeardOf[messages.PermitRequest](s); len(got) != 2 {
					t.Errorf("MASTER was asked %d times, want 2", len(got))
				}
			})
		})
	}
}
