package master

import (
	"fmt"
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// What a governor remembers does not grow with its life: not with machines that ask and part, and not with identifies.
func TestGovernorForgets(t *testing.T) {
	g := &Governor{pacer: plan.NewPacer(1, 2*time.Second, 0), askers: map[string]asker{}}
	for _, source := range []string{"a", "a/b"} {
		g.askers[source+"/1"] = asker{source: source, id: "1"}
		g.pacer.Ask(plan.Want{ID: source + "/1", Owner: source})
	}
	g.left(left{"a"})
	if _, waits := g.askers["a/b/1"]; !waits || len(g.askers) != 1 || len(g.pacer.Waiting()) != 1 {
		t.Errorf("%d ask and %d wait once a parted, want a/b alone", len(g.askers), len(g.pacer.Waiting()))
	}
	g.left(left{"a/b"})
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
