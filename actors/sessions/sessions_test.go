package sessions

import (
	"fmt"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// book starts a run of a session book.
func book(s *sim.Solo) {
	s.Play(func(w *world.World, ear *actor.PID) *actor.Props {
		return New(w, world.Addresses{MasterLink: ear, Events: ear})
	})
}

// session is one of shard 0 at a seq, as READY has it.
func session(id string, seq int64) messages.KeepSessions {
	return messages.KeepSessions{Sessions: []messages.Session{
		{Shard: 0, ShardCount: 1, SessionID: id, Seq: seq, UserID: "42", Guilds: []string{"7"}}}}
}

// offered returns in one line what a process that starts now may resume.
func offered(s *sim.Solo) string {
	s.Send(messages.SessionsWanted{Shards: messages.ShardRange{}, ShardCount: 1})
	all := sim.HeardOf[messages.SessionsOffered](s)
	var line string
	for _, o := range all[len(all)-1].Sessions {
		line += fmt.Sprintf("%s at %d of %s in %v ", o.SessionID, o.Seq, o.UserID, o.Guilds)
	}
	return line
}

// After a kill of CONTROL the next run offers what the previous one knew: a session that began or
// ended at once, a seq after half a second.
func TestSessionsOutliveCONTROL(t *testing.T) {
	for name, c := range map[string]struct {
		story func(s *sim.Solo)
		want  string
	}{
		"a session begins": {func(s *sim.Solo) { s.Send(session("a", 1)) }, "a at 1 of 42 in [7] "},
		"its seq moves": {func(s *sim.Solo) {
			s.Send(session("a", 1))
			s.Pass(time.Second)
			s.Send(session("a", 9))
			s.Pass(writeEvery)
		}, "a at 9 of 42 in [7] "},
		"another one begins while the disk is busy": {func(s *sim.Solo) {
			s.Send(session("a", 1), session("b", 2))
		}, "b at 2 of 42 in [7] "},
		"it is gone": {func(s *sim.Solo) {
			s.Send(session("a", 1), messages.KeepSessions{Gone: []int{0}})
		}, ""},
		"the next process identifies": {func(s *sim.Solo) {
			s.Send(session("a", 1))
			s.Pass(time.Second)
			s.Send(messages.ForgetSessions{})
		}, ""},
		"another machine left it": {func(s *sim.Solo) {
			s.Send(messages.SessionsBrought{Sessions: session("a", 1).Sessions})
		}, "a at 1 of  in [] "},
		"it serves for long": {func(s *sim.Solo) {
			s.Send(session("a", 1))
			s.Pass(2 * messages.OfferedFor)
		}, "a at 1 of 42 in [7] "},
		"it serves for long, and a timer is lost to a panic": {func(s *sim.Solo) {
			s.Send(session("a", 1))
			s.Panic = sim.Once[world.Timeout]()
			s.Pass(2 * messages.OfferedFor)
		}, "a at 1 of 42 in [7] "},
		"the timer of a seq is lost to a panic": {func(s *sim.Solo) {
			s.Send(session("a", 1))
			s.Pass(time.Second)
			s.Panic = sim.Once[writeDue]()
			s.Send(session("a", 9))
			s.Pass(writeEvery)
		}, "a at 9 of 42 in [7] "},
		"the answer of the disk is lost to a panic": {func(s *sim.Solo) {
			s.Panic = sim.Once[pageSaved]()
			s.Send(session("a", 1))
			s.Pass(time.Second)
			s.Send(session("b", 2))
		}, "b at 2 of 42 in [7] "},
	} {
		t.Run(name, func(t *testing.T) {
			sim.PlaySolo(t, func(s *sim.Solo) {
				book(s)
				c.story(s)
				s.Pass(sim.DiskTime)
				s.Crash()
				s.Panic = nil
				book(s)
				if got := offered(s); got != c.want {
					t.Errorf("offered %q, want %q", got, c.want)
				}
			})
		})
	}
}

// A session without an owner ages from the death of its process, in this run and in the next.
func TestSessionsAge(t *testing.T) {
	for crash := range 3 { // CONTROL's: none, at once, or later
		sim.PlaySolo(t, func(s *sim.Solo) {
			book(s)
			s.Send(session("a", 1))
			s.Pass(confirmEvery - time.Second)
			s.Send(messages.SessionsOrphaned{})
			s.Pass(sim.DiskTime)
			if crash == 1 {
				s.Crash()
				book(s)
			}
			s.Pass(30*time.Second - sim.DiskTime)
			s.Send(messages.SessionsOrphaned{}) // of another start that failed
			s.Pass(sim.DiskTime)
			if crash == 2 {
				s.Crash()
				book(s)
			}
			s.Pass(messages.OfferedFor - 30*time.Second - 2*sim.DiskTime)
			if got := offered(s); got == "" {
				t.Errorf("crash %d: not offered for a minute", crash)
			}
			s.Pass(2 * sim.DiskTime)
			if got := offered(s); got != "" {
				t.Errorf("crash %d: offered after a minute: %s", crash, got)
			}
		})
	}
}

// The clock was ahead when a session was written down: it is offered for a minute, and no longer.
func TestSessionsOfAWrongClock(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		s.SetClock(time.Hour)
		book(s)
		s.Send(session("a", 1))
		s.Pass(sim.DiskTime)
		s.Crash()
		s.SetClock(0)
		book(s)
		if got := offered(s); got == "" {
			t.Error("not offered")
		}
		s.Pass(messages.OfferedFor + time.Second)
		if got := offered(s); got != "" {
			t.Errorf("offered after a minute: %s", got)
		}
	})
}

// However often seqs move, they are written twice a second.
func TestSessionsAreWrittenInTime(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		book(s)
		s.Send(session("a", 1))
		s.Pass(time.Second)
		writes := 0
		s.Panic = func(_ string, msg any) bool {
			if _, is := msg.(pageSaved); is {
				writes++
			}
			return false
		}
		for seq := range int64(500) { // five seconds
			s.Send(session("a", seq))
			s.Pass(10 * time.Millisecond)
		}
		if writes < 8 || writes > 11 {
			t.Errorf("%d writes in five seconds, want about ten", writes)
		}
	})
}

// A MASTER that connects gets the sessions that can be resumed, and each end of a session at once.
func TestSessionsThatCanBeResumedAreTold(t *testing.T) {
	for wait, want := range map[time.Duration]int{30 * time.Second: 2, messages.OfferedFor + time.Second: 1} {
		sim.PlaySolo(t, func(s *sim.Solo) {
			book(s)
			serves := session("s", 1)
			serves.Cluster, serves.Sessions[0].Shard = 1, 1
			s.Send(session("a", 1), messages.SessionsOrphaned{}, serves)
			s.Pass(wait)
			s.Send(messages.ReportSessions{On: true})
			all := sim.HeardOf[messages.SessionsMoved](s)
			if len(all) != 1 || len(all[0].Sessions) != want {
				t.Errorf("%v after its death: reported %+v, want %d sessions", wait, all, want)
			}
			s.Send(messages.KeepSessions{Gone: []int{0}})
			all = sim.HeardOf[messages.SessionsMoved](s)
			if len(all) != 2 || len(all[1].Gone) != 1 {
				t.Errorf("reported %+v, want that shard 0 is gone", all)
			}
		})
	}
}

// A book that panics at each of its timers writes no more often than before.
func TestSessionsThatPanic(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		book(s)
		panics := 0
		s.Panic = func(_ string, msg any) bool {
			_, is := msg.(world.Timeout)
			if is {
				panics++
			}
			return is
		}
		s.Pass(time.Minute)
		if want := int(time.Minute / confirmEvery); panics != want {
			t.Errorf("%d tries in a minute, want %d", panics, want)
		}
	})
}

// An ordered stop of CONTROL loses no seq that moved a moment before.
func TestSessionsOfAnOrderedEnd(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		book(s)
		s.Send(session("a", 1))
		s.Pass(time.Second)
		s.Send(session("a", 9))
		s.Stop()
		book(s)
		if got, want := offered(s), "a at 9 of 42 in [7] "; got != want {
			t.Errorf("offered %q, want %q", got, want)
		}
	})
}

// MASTER gets a session that begins at once, and the seqs that moved every five seconds, on any
// link.
func TestSessionsAreTold(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		book(s)
		for range 2 { // links that end
			s.Send(messages.ReportSessions{On: true})
			s.Pass(700 * time.Millisecond)
			s.Send(messages.ReportSessions{})
		}
		s.Send(messages.ReportSessions{On: true}, session("a", 1))
		reported := func() (seqs string) {
			for _, m := range sim.HeardOf[messages.SessionsMoved](s) {
				for _, one := range m.Sessions {
					seqs += fmt.Sprint(one.Seq, " ")
				}
			}
			return seqs
		}
		if got := reported(); got != "1 " {
			t.Errorf("reported %q at once", got)
		}
		for seq := range int64(100) { // ten seconds
			s.Send(session("a", 2+seq))
			s.Pass(100 * time.Millisecond)
		}
		if got := reported(); got != "1 51 101 " {
			t.Errorf("reported %q within ten seconds, want every fifth second's", got)
		}
		if got := len(sim.HeardOf[messages.SessionsMoved](s)); got != 3 {
			t.Errorf("%d packets, want 3", got)
		}
		s.Send(messages.ReportSessions{})
		s.Send(session("b", 1))
		s.Pass(time.Minute)
		if got := reported(); got != "1 51 101 " {
			t.Errorf("reported %q without a link", got)
		}
	})
}

// A snapshot has since when a session has no process, if so.
func TestSnapshot(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		book(s)
		s.Send(session("a", 3), messages.GetSnapshot{})
		died := time.Now()
		s.Send(messages.SessionsOrphaned{}, messages.GetSnapshot{})
		got := sim.HeardOf[messages.SessionsSnapshot](s)
		if len(got) != 2 || len(got[0].Sessions) != 1 || len(got[1].Sessions) != 1 {
			t.Fatalf("got %+v, want a session twice", got)
		}
		serves, orphaned := got[0].Sessions[0], got[1].Sessions[0]
		if serves.Seq != 3 || serves.Orphaned != nil {
			t.Errorf("at first %+v, want seq 3 and a process", serves)
		}
		if since := orphaned.Orphaned; since == nil || !since.Equal(died.Truncate(time.Millisecond)) {
			t.Errorf("without a process since %v, want %v", since, died)
		}
	})
}
