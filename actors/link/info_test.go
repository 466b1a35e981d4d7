package link

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// What the Gate handed over while there was no link is in the first info of the next one, though
// the Gate has not answered LinkUp yet.
func TestInfoHasTheLastUses(t *testing.T) {
	s := serving(t)
	s.lose()
	used := s.Now()
	s.do("gate: when the buckets were used", messages.PaceHandedOver{Last: map[int]time.Time{0: used}})
	s.skip(2 * time.Second)
	s.open()
	s.link.Step(Came{s.number, messages.Initialise{Token: "t0ken", Epoch: 1000, Features: []string{messages.FeatureInfo}}}, s.Now())
	for _, effect := range s.link.Step(messages.MachineStatus{}, s.Now()) {
		if e, is := effect.(SendInfo); is {
			if !e.Last[0].Equal(used) {
				t.Errorf("bucket 0 was used at %v, want %v", e.Last[0], used)
			}
			return
		}
	}
	t.Error("no info")
}
