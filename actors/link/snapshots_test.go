package link

import (
	"testing"
	"time"

	"github.com/discluster/control/messages"
)

// Only a MASTER that announced snapshots gets packets about them, and the actor of the sessions
// knows whether it did.
func TestSnapshotsNeedTheFeature(t *testing.T) {
	for _, announced := range []bool{true, false} {
		s := serving(t)
		s.lose()
		s.skip(2 * time.Second)
		s.open()
		features := []string{messages.FeatureInfo, messages.FeatureSessions}
		if announced {
			features = append(features, messages.FeatureSnapshots)
		}
		effects := s.link.Step(Came{s.number, messages.Initialise{Token: "t0ken", Epoch: 1000, Features: features}}, s.Now())
		effects = append(effects, s.link.Step(messages.SnapshotAsk{ID: "1"}, s.Now())...)
		effects = append(effects, s.link.Step(messages.SnapshotPart{ID: "1"}, s.Now())...)
		reports, sent := messages.ReportSessions{}, 0
		for _, effect := range effects {
			switch e := effect.(type) {
			case Deliver:
				if m, is := e.Message.(messages.ReportSessions); is {
					reports = m
				}
			case Send:
				switch e.Packet.(type) {
				case messages.SnapshotAsk, messages.SnapshotPart:
					sent++
				}
			}
		}
		if want := map[bool]int{true: 2}[announced]; sent != want || reports != (messages.ReportSessions{On: true, Snapshots: announced}) {
			t.Errorf("announced %v: %d packets, want %d; its sessions get %+v", announced, sent, want, reports)
		}
	}
}
