package master

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// MASTER passes a question on to the machine that reported the session last, and its answer back.
// Every question is answered, whatever ends.
func TestSnapshotsPassed(t *testing.T) {
	ask := func(by *actor.PID, id string) snapshotAsked {
		return snapshotAsked{machine: by, packet: messages.SnapshotAsk{ID: id, SessionID: "a", Offset: 7}}
	}
	other := actor.NewPID("nonhost", "other")
	for name, c := range map[string]struct {
		story func(ear *actor.PID) []any
		want  []string
	}{
		"passed on": {func(ear *actor.PID) []any {
			return []any{carries{source: "old", machine: ear}, ask(other, "x")}
		}, []string{"ask 1 of a at 7"}},
		"and back": {func(ear *actor.PID) []any {
			answer := messages.SnapshotPart{ID: "1", Data: []byte("part"), Next: 9}
			return []any{carries{source: "old", machine: other}, ask(ear, "x"), snapshotCame{machine: ear, packet: answer}, snapshotCame{machine: other, packet: answer}, snapshotCame{machine: other, packet: answer}}
		}, []string{"part x: part 9 "}},
		"the machine had it itself": {func(ear *actor.PID) []any {
			return []any{carries{source: "old", machine: ear}, ask(ear, "x")}
		}, []string{"part x:  0 this machine had the shard itself"}},
		"no such machine": {func(ear *actor.PID) []any {
			return []any{ask(ear, "x")}
		}, []string{"part x:  0 no machine that is linked has this session"}},
		"another session": {func(ear *actor.PID) []any {
			return []any{carries{source: "old", machine: other}, snapshotAsked{machine: ear, packet: messages.SnapshotAsk{ID: "x", SessionID: "b"}}}
		}, []string{"part x:  0 no machine that is linked has this session"}},
		"no such shard": {func(ear *actor.PID) []any {
			return []any{snapshotAsked{machine: ear, packet: messages.SnapshotAsk{ID: "x", Shard: -1}}}
		}, []string{"part x:  0 no machine that is linked has this session"}},
		"its link ended before": {func(ear *actor.PID) []any {
			return []any{carries{source: "old", machine: other}, carries{source: "old", machine: other, gone: true}, ask(ear, "x")}
		}, []string{"part x:  0 no machine that is linked has this session"}},
		"its link ends": {func(ear *actor.PID) []any {
			return []any{carries{source: "old", machine: other}, ask(ear, "x"), carries{source: "old", machine: other, gone: true}}
		}, []string{"part x:  0 the link to the machine that had the shard has ended"}},
		"its earlier link ends": {func(ear *actor.PID) []any {
			return []any{carries{source: "old", machine: ear}, carries{source: "old", machine: other, gone: true}, ask(other, "x")}
		}, []string{"ask 1 of a at 7"}},
	} {
		t.Run(name, func(t *testing.T) {
			sim.PlaySolo(t, func(s *sim.Solo) {
				s.Play(func(w *world.World, _ *actor.PID) *actor.Props { return newSessions(w) })
				s.Send(moved{"old", messages.SessionsMoved{Sessions: []messages.Session{{SessionID: "a"}}}})
				s.Send(c.story(s.Ear)...)
				if got := snapshotsHeard(s); !slices.Equal(got, c.want) {
					t.Errorf("got %q, want %q", got, c.want)
				}
			})
		})
	}
}

// snapshotsHeard returns a line for each packet that the ear was to send.
func snapshotsHeard(s *sim.Solo) (all []string) {
	for _, d := range sim.HeardOf[deliver](s) {
		switch p := d.packet.(type) {
		case messages.SnapshotAsk:
			all = append(all, fmt.Sprintf("ask %s of %s at %d", p.ID, p.SessionID, p.Offset))
		case messages.SnapshotPart:
			all = append(all, fmt.Sprintf("part %s: %s %d %s", p.ID, p.Data, p.Next, p.Error))
		}
	}
	return all
}

// Questions without an answer are forgotten, and limited until then.
func TestSnapshotQuestionsAreLimited(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		s.Play(func(w *world.World, _ *actor.PID) *actor.Props { return newSessions(w) })
		old, ask := actor.NewPID("nonhost", "old"), messages.SnapshotAsk{ID: "x", SessionID: "a"}
		s.Send(moved{"old", messages.SessionsMoved{Sessions: []messages.Session{{SessionID: "a"}}}}, carries{source: "old", machine: old})
		many := make([]any, questionsMax)
		for i := range many {
			many[i] = snapshotAsked{machine: s.Ear, packet: ask}
		}
		s.Send(many...)
		if got := snapshotsHeard(s); len(got) > 0 {
			t.Errorf("refused %d of %d, first %q", len(got), questionsMax, got[0])
		}
		s.Send(many[0])
		if got := snapshotsHeard(s); len(got) != 1 || got[0] != "part x:  0 MASTER passes on too many snapshots at the moment" {
			t.Errorf("one more: %q", got)
		}
		s.Pass(questionFor + time.Second)
		s.Heard = nil
		s.Send(many[0])
		if got := snapshotsHeard(s); len(got) > 0 {
			t.Errorf("later: %q", got)
		}
	})
}

// quiet is a link that takes everything.
type quiet struct{}

func (quiet) Receive(func([]byte), func(error)) {}
func (quiet) Ack()                              {}
func (quiet) Send([]byte) error                 { return nil }
func (quiet) Offer([]byte) error                { return nil }
func (quiet) Close(int, string)                 {}

// A CONTROL that did not announce snapshots is not asked for one.
func TestCarriersAnnounceIt(t *testing.T) {
	for features, want := range map[string]int{`["info"]`: 0, `["info","snapshots"]`: 1} {
		sim.PlaySolo(t, func(s *sim.Solo) {
			s.Play(func(w *world.World, ear *actor.PID) *actor.Props {
				return newMachine(w, "machine-1", "m1", 1, quiet{}, addresses{ear, ear, ear}, time.Second)
			})
			s.Send(frameCame{frame: []byte(`{"o":0,"d":{"hostname":"h","version":"v","features":` + features + `}}`)})
			if got := len(sim.HeardOf[carries](s)); got != want {
				t.Errorf("%s: %d reports, want %d", features, got, want)
			}
		})
	}
}
