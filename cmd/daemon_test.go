package cmd

import (
	"slices"
	"testing"

	"github.com/discluster/control/config"
	"github.com/discluster/control/messages"
)

// Equal configurations return equal options: a running bot is adopted only if it would be started
// the same way again.
func TestControlOptionsAreAlike(t *testing.T) {
	c := &config.Config{}
	c.Cluster.Env = map[string]string{}
	for i := range 20 {
		c.Cluster.Env[string(rune('A'+i))] = "value"
	}
	env := controlOptions(c, "", nil).Cluster.ExtraEnv
	if len(env) != 20 || !slices.IsSorted(env) {
		t.Errorf("environment: %v", env)
	}
	if again := controlOptions(c, "", nil).Cluster.ExtraEnv; !slices.Equal(env, again) {
		t.Errorf("the second time %v, the first %v", again, env)
	}
}

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
