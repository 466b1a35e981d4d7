package daemon

import (
	"slices"
	"testing"

	"github.com/discluster/control/config"
)

// Equal configurations return equal options: a running bot is adopted only if it would be started
// the same way again.
func TestControlOptionsAreAlike(t *testing.T) {
	c := &config.Config{}
	c.Cluster.Env = map[string]string{}
	for i := range 20 {
		c.Cluster.Env[string(rune('A'+i))] = "value"
	}
	env := ControlOptions(c, "", nil).Cluster.ExtraEnv
	if len(env) != 20 || !slices.IsSorted(env) {
		t.Errorf("environment: %v", env)
	}
	if again := ControlOptions(c, "", nil).Cluster.ExtraEnv; !slices.Equal(env, again) {
		t.Errorf("the second time %v, the first %v", again, env)
	}
}
