package cmd

import (
	"slices"
	"testing"

	"github.com/discluster/control/config"
)

// A configuration that says the same gives the same bots: those that run are taken back only if they would be started so again.
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
