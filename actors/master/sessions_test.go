package master

import (
	"fmt"
	"testing"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master/fleet"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// A machine that is given a range gets the newest session of every shard, as reported by the
// machine that has the shard, and by none before it.
func TestSessionsOfARange(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		s.Play(func(w *world.World, _ *actor.PID) *actor.Props { return newSessions(w) })
		reports := func(source string, shard int, id string, seq int64) moved {
			one := messages.Session{Shard: shard, ShardCount: 4, SessionID: id, Seq: seq}
			return moved{source, messages.SessionsMoved{Sessions: []messages.Session{one}}}
		}
		all := messages.ShardRange{First: 0, Last: 3}
		s.Send(
			reports("m1", 0, "a", 5), reports("m1", 0, "a", 9), reports("m1", 0, "a", 7), // overtaken on its way
			reports("m1", 1, "b", 5), reports("m1", 1, "c", 1), // a new session starts its own count
			reports("m1", 2, "d", 5), moved{"m1", messages.SessionsMoved{Gone: []int{2}}},
			fleet.Own{Source: "m2", Shards: all},
			reports("m1", 3, "e", 1), moved{"m1", messages.SessionsMoved{Gone: []int{0}}}, // not its own any more
			order{s.Ear, messages.Connect{Range: &all}, false},
			order{s.Ear, messages.Connect{Range: &all}, true},
		)
		var got []string
		for _, d := range sim.HeardOf[deliver](s) {
			line := ""
			for _, one := range d.packet.(messages.Connect).Sessions {
				line += fmt.Sprintf("%d:%s@%d ", one.Shard, one.SessionID, one.Seq)
			}
			got = append(got, line)
		}
		if want := "[0:a@9 1:c@1  ]"; fmt.Sprint(got) != want {
			t.Errorf("got %v, want %s", got, want)
		}
	})
}
