package daemon

import (
	"testing"

	"github.com/discluster/control/messages"
)

// A stop that takes too long names what runs on.
func TestNamesOfClustersThatDoNotEnd(t *testing.T) {
	for want, clusters := range map[string][]messages.ClusterView{
		"it is unknown which an earlier run of CONTROL left (see the log)": {{Cluster: 4, State: messages.ClusterStopped}},
		"cluster 0 is killing, pid 17; cluster 2 is unknown, its pid is unknown": {
			{Cluster: 0, State: messages.ClusterKilling, PID: 17}, {Cluster: 1, State: messages.ClusterStopped}, {Cluster: 2, State: messages.ClusterUnknown},
		},
	} {
		if got := namesOf(clusters); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
