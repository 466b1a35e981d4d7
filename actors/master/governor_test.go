package master

import (
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

const (
	testTTL    = 2 * time.Second
	testMargin = 100 * time.Millisecond
)

// governorAlone runs a script with a governor of one bucket, set by hand.
func governorAlone(t *testing.T, script func(s *sim.Solo), change ...func(*Options)) {
	t.Helper()
	sim.PlaySolo(t, func(s *sim.Solo) {
		o := Options{Options: fleet.Options{MaxConcurrency: 1, TTL: testTTL, Margin: testMargin}}
		for _, c := range change {
			c(&o)
		}
		s.Play(func(w *world.World, ear *actor.PID) *actor.Props {
			return newGovernor(w, 4, 1, time.Now(), ear, o)
		})
		script(s)
	})
}

// wants returns the request of a machine, by its id.
func wants(source, id string) permitRequest {
	return permitRequest{source, messages.PermitRequest{ID: id, Cause: messages.CauseStart}}
}

// grants returns the granted permits and their times, in one line.
func grants(s *sim.Solo) (line string) {
	for _, h := range s.Heard {
		if d, is := h.Msg.(deliver); is && d.packet.(messages.PermitAnswer).Granted {
			id := d.packet.(messages.PermitAnswer).ID
			line += fmt.Sprintf("%s after %v ", id, h.At.Round(time.Millisecond))
		}
	}
	return line
}

// While the fleet is halted nothing is granted, and every request is answered so. Waiting requests,
// except those of parted machines, wait on until it is resumed.
func TestGovernorIsHalted(t *testing.T) {
	governorAlone(t, func(s *sim.Solo) {
		s.Send(wants("a", "a1"), wants("b", "b1"), wants("c", "c1"), fleet.Halt{})
		s.Send(wants("d", "d1"), machineGone{source: "b"})
		s.Pass(time.Minute)
		if got, want := grants(s), "a1 after 0s "; got != want {
			t.Errorf("granted %s while halted, want %s", got, want)
		}
		sent := sim.HeardOf[deliver](s)
		if a := sent[len(sent)-1].packet.(messages.PermitAnswer); a.ID != "d1" || a.Reason != "halted" {
			t.Errorf("answered %+v", a)
		}
		s.Send(fleet.Resume{})
		s.Pass(time.Minute)
		if got, want := grants(s), "a1 after 0s c1 after 1m0s "; got != want {
			t.Errorf("granted %s, want %s", got, want)
		}
	})
}

// A machine has permits of an earlier run of MASTER: none are granted before those are over.
func TestGovernorWaitsForWhatIsInherited(t *testing.T) {
	governorAlone(t, func(s *sim.Solo) {
		s.Send(bucketsUsed{source: "a", inherited: true}, wants("b", "b1"))
		s.Pass(time.Minute)
		if got, want := grants(s), fmt.Sprintf("b1 after %v ", plan.Quiet(testTTL, testMargin)); got != want {
			t.Errorf("granted %s, want %s", got, want)
		}
	})
}

// A bucket that a machine used, or a whole fleet that was not counted, is free five seconds later.
func TestGovernorKnowsWhatWasUsed(t *testing.T) {
	for name, report := range map[string]any{
		"a machine": bucketsUsed{source: "a", last: map[int]time.Time{}},
		"a fleet":   fleet.UsedAll{Buckets: 1},
	} {
		governorAlone(t, func(s *sim.Solo) {
			if u, is := report.(bucketsUsed); is {
				u.last[0] = time.Now()
			}
			s.Send(report, wants("b", "b1"))
			s.Pass(time.Minute)
			if got, want := grants(s), "b1 after 5.1s "; got != want {
				t.Errorf("%s: granted %s, want %s", name, got, want)
			}
		})
	}
}

// A permit's identify that Discord has answered frees its bucket sooner than one of which only the
// sending is known.
func TestGovernorHearsOfAnswers(t *testing.T) {
	for arrived, want := range map[bool]string{true: "a1 after 0s b1 after 5.002s ", false: "a1 after 0s b1 after 5.1s "} {
		governorAlone(t, func(s *sim.Solo) {
			s.Send(wants("a", "a1"), wants("b", "b1"))
			s.Send(report{"a", messages.PermitReport{ID: "a1", Sent: true}, time.Now()})
			if arrived {
				s.Send(report{"a", messages.PermitReport{ID: "a1", Sent: true, Arrived: true}, time.Now().Add(time.Millisecond)})
			}
			s.Pass(time.Minute)
			if got := grants(s); got != want {
				t.Errorf("answered %v: granted %s, want %s", arrived, got, want)
			}
		})
	}
}

// The request that waits longest, as its machine reports, goes first; of those that began to wait
// within five seconds, the lowest shard.
func TestGovernorKeepsTheOrder(t *testing.T) {
	governorAlone(t, func(s *sim.Solo) {
		s.Pass(4 * time.Second)
		for i, waited := range []time.Duration{0, 3 * time.Second, 9 * time.Second} {
			r := messages.PermitRequest{ID: fmt.Sprint("w", i), Shard: i, WaitedMS: messages.Millis(waited)}
			if i == 0 { // the bucket is busy when they ask
				s.Send(wants("a", "a1"))
			}
			s.Send(permitRequest{"a", r})
		}
		s.Send(report{"a", messages.PermitReport{ID: "a1", Sent: true}, time.Now()})
		for range 3 {
			s.Pass(5100 * time.Millisecond)
			given := sim.HeardOf[deliver](s)
			id := given[len(given)-1].packet.(messages.PermitAnswer).ID
			s.Send(report{"a", messages.PermitReport{ID: id, Sent: true}, time.Now()})
		}
		if got, want := grants(s), "a1 after 4s w2 after 9.1s w0 after 14.2s w1 after 19.3s "; got != want {
			t.Errorf("granted %s, want %s", got, want)
		}
	})
}

// Before a grant Discord is asked how many buckets there are. It has a second to answer; where it
// does not, the grant is given all the same.
func TestGovernorAsksFirst(t *testing.T) {
	for answer, want := range map[time.Duration]string{
		300 * time.Millisecond: "a1 after 20.3s ", time.Minute: "a1 after 21s ",
	} {
		governorAlone(t, func(s *sim.Solo) {
			s.Pass(20 * time.Second)
			s.Send(wants("a", "a1"))
			if got := len(sim.HeardOf[fleet.Recount](s)); got != 1 {
				t.Errorf("Discord is asked %d times, want once", got)
			}
			s.Pass(answer)
			s.Send(fleet.Budget{})
			s.Pass(time.Second)
			if got := grants(s); got != want {
				t.Errorf("answered after %v: granted %s, want %s", answer, got, want)
			}
		}, func(o *Options) { o.MaxConcurrency = 0 })
	}
}

// A parted machine's requests are dropped: another machine gets the next permit.
func TestGovernorForgetsWhoParted(t *testing.T) {
	governorAlone(t, func(s *sim.Solo) {
		s.Send(wants("a", "a1"), wants("a", "a2"), wants("b", "b1"), machineGone{source: "a"})
		s.Send(report{"a", messages.PermitReport{ID: "a1", Sent: true}, time.Now()})
		s.Pass(10 * time.Second)
		if got, want := grants(s), "a1 after 0s b1 after 5.1s "; got != want {
			t.Errorf("granted %s, want %s", got, want)
		}
	})
}

// MASTER was suspended, and does not know which machines paced themselves: it grants nothing until
// that is known, and goes on by itself.
func TestGovernorRestsBehindASleep(t *testing.T) {
	governorAlone(t, func(s *sim.Solo) {
		s.Freeze(20 * time.Second)
		s.Pass(21 * time.Second)
		s.Send(wants("a", "a1"))
		s.Pass(time.Minute)
		if got, want := grants(s), "a1 after "+(20*time.Second+restFor).String()+" "; got != want {
			t.Errorf("granted %s, want %s", got, want)
		}
	})
}

// However often the governor panics, it has one watchdog.
func TestGovernorHasOneWatchdog(t *testing.T) {
	governorAlone(t, func(s *sim.Solo) {
		ticks := 0
		s.Panic = func(_ string, msg any) bool {
			if _, is := msg.(watchdog); is {
				ticks++
			}
			_, is := msg.(shown)
			return is
		}
		s.Send(shown{}, shown{}, shown{})
		s.Pass(time.Minute)
		if want := int(time.Minute/watchdogEvery) + 3; ticks > want { // those before the panics come, too
			t.Errorf("%d ticks in a minute, want at most %d", ticks, want)
		}
	})
}

// The governor's memory does not grow with time: not with machines that ask and part, and not with
// identifies.
func TestGovernorForgets(t *testing.T) {
	g := &Governor{pacer: plan.NewPacer(1, 2*time.Second, 0), requesters: map[string]requester{}}
	for _, source := range []string{"a", "a/b"} {
		g.requesters[source+"/1"] = requester{source: source, id: "1"}
		g.pacer.Ask(plan.Want{ID: source + "/1", Owner: source})
	}
	g.gone(machineGone{source: "a"})
	if _, waits := g.requesters["a/b/1"]; !waits || len(g.requesters) != 1 || len(g.pacer.Waiting()) != 1 {
		t.Errorf("%d ask and %d wait once a parted, want a/b alone", len(g.requesters), len(g.pacer.Waiting()))
	}
	g.gone(machineGone{source: "a/b"})
	now := time.Now()
	for i := range 100 {
		id := fmt.Sprint(i)
		g.pacer.Ask(plan.Want{ID: "c/" + id, Owner: "c", Hold: time.Minute, Identifies: 10})
		if grants, _ := g.pacer.Next(now); len(grants) != 1 {
			t.Fatalf("%d grants, want 1", len(grants))
		}
		g.reported(report{"c", messages.PermitReport{ID: id, Sent: true, Identifies: 10}, now}, now)
		now = now.Add(plan.IdentifyEvery)
	}
	if len(g.recent) > 1 {
		t.Errorf("%d reports are remembered, want 1", len(g.recent))
	}
	if g.count(now.Add(-plan.IdentifyEvery)); g.unseen != 10 {
		t.Errorf("%d may not have reached Discord, want 10", g.unseen)
	}
}
