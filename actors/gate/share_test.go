package gate

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/sim"
)

// However late a permit that was paid from a share is reported, the machine never has more than
// MASTER counts: a lent share, and what was reported of it last.
func TestShareNeverGrows(t *testing.T) {
	first := messages.BudgetShare{ID: 1, Total: 10, Remaining: 10}
	second := messages.BudgetShare{ID: 2, Total: 5, Remaining: 5}
	short, hold := request("a", 0), holding("a", testTTL)
	used := func(sent bool) messages.PermitUsed { return messages.PermitUsed{ID: "a", Sent: sent} }
	for name, c := range map[string]struct {
		permit messages.WantPermit
		events []any // a duration lets time pass
		want   string
	}{
		"used":                           {short, []any{used(true)}, "1:10 1:9"},
		"unused":                         {short, []any{used(false)}, "1:10"},
		"unused, reported after the end": {short, []any{3 * time.Second, used(false)}, "1:10"},
		"unused, reported after it was reported as spent":   {short, []any{3 * time.Second, first, used(false)}, "1:10 1:9"},
		"unused, while another share comes":                 {short, []any{second, used(false), second}, "1:10 2:5"},
		"over, and another share comes":                     {short, []any{3 * time.Second, second, second}, "1:10 1:9 2:5"},
		"of a cluster that died, and another share comes":   {short, []any{messages.DropPermits{}, second, second}, "1:10 1:9 2:5"},
		"unused, reported after another share came":         {short, []any{3 * time.Second, second, second, used(false)}, "1:10 1:9 2:5"},
		"a hold that is extended after another share came":  {hold, []any{3 * time.Second, second, second, holding("a", time.Minute)}, "1:10 1:9 2:5"},
		"the same, and it was not used by its extended end": {hold, []any{3 * time.Second, second, second, holding("a", time.Minute), used(false)}, "1:10 1:9 2:5"},
	} {
		t.Run(name, func(t *testing.T) {
			sim.PlaySolo(t, func(s *sim.Solo) {
				gate(s)
				s.Send(fleetOf(1, 1, false), first)
				s.Pass(sim.DiskTime)
				s.Send(c.permit)
				s.Pass(sim.DiskTime)
				for _, e := range c.events {
					if d, is := e.(time.Duration); is {
						s.Pass(d)
						continue
					}
					s.Send(e)
					s.Pass(sim.DiskTime)
				}
				var got []string
				for _, l := range sim.HeardOf[messages.ShareLeft](s) {
					one := fmt.Sprintf("%d:%d", l.Share.ID, l.Share.Remaining)
					if l.Share.ID > 0 && (len(got) == 0 || got[len(got)-1] != one) {
						got = append(got, one)
					}
				}
				if got := strings.Join(got, " "); got != c.want {
					t.Errorf("reported %s, want %s", got, c.want)
				}
			})
		})
	}
}

// What is given back while gate.json is being written is on disk after the next write.
func TestShareGivenBackIsSaved(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		s.Send(fleetOf(2, 2, false), messages.BudgetShare{ID: 1, Total: 10, Remaining: 10})
		s.Pass(sim.DiskTime)
		s.Send(request("a", 0))
		s.Pass(sim.DiskTime)
		s.Send(request("b", 1), messages.PermitUsed{ID: "a", Sent: false})
		s.Pass(2 * sim.DiskTime)
		var file gateState
		if s.Read(gateFile, &file); file.Share.Remaining != 9 {
			t.Errorf("%d of the share are left on disk, want 9", file.Share.Remaining)
		}
	})
}

// If gate.json cannot be read, all of the share counts as spent, and the file holds that from then
// on: it is reported to MASTER, which may lend it to others.
func TestShareThatIsUnreadableIsSpent(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		s.Damage(gateFile, []byte(`{"last_identify":{},"share":{"id":1,"total":10,"remaining":10,"reserve":0}}`))
		s.ReadErr = func(string) error { return errors.New("input/output error") }
		gate(s)
		s.ReadErr = nil
		fleet := fleetOf(1, 1, false)
		fleet.Lent = messages.BudgetShare{ID: 1, Total: 10, Remaining: 10}
		s.Send(fleet)
		s.Pass(sim.DiskTime)
		var file gateState
		if s.Read(gateFile, &file); file.Share.ID != 1 || file.Share.Remaining != 0 {
			t.Errorf("on disk is %+v, want share 1 with nothing left", file.Share)
		}
		left := sim.HeardOf[messages.ShareLeft](s)
		if last := left[len(left)-1].Share; last != file.Share {
			t.Errorf("reported is %+v, on disk %+v", last, file.Share)
		}
	})
}

// Of the reserve, shards whose session Discord ended get one identify at a time: a permit that is
// over counts no longer, reported or not.
func TestReserveGoesOneByOne(t *testing.T) {
	sim.PlaySolo(t, func(s *sim.Solo) {
		gate(s)
		s.Send(fleetOf(2, 2, false), messages.BudgetShare{ID: 1, Total: 10, Remaining: 5, Reserve: 5})
		s.Pass(sim.DiskTime)
		began := s.Now()
		for shard, id := range []string{"a", "b"} {
			w := request(id, shard)
			w.Cause = messages.CauseReidentify
			s.Send(w)
		}
		s.Pass(2 * refusedFor)
		if got := len(permitted(s)); got != 2 {
			t.Fatalf("%d permits, want 2", got)
		}
		lastly(t, s, began+refusedFor)
	})
}
