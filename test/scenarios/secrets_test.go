package scenarios

import (
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// A CONTROL of another version passes on its bots' output, their token among it. MASTER does not.
func TestSecretsOfOthers(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.leaky = true
		f.withDiscord(rules.Config{ShardCount: 4, MaxConcurrency: 4})
		own := f.withOwnMaster(1)
		f.add("m1", f.good(nil), sesame)
		f.must("all", time.Minute, f.owned(4))
		f.discord.Step(rules.Fault{Kind: rules.FaultRefuseToken, Shard: rules.All})
		f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: rules.All})
		f.must("MASTER heard of it", time.Minute, func() bool { return own.saw("machine.error") > 0 })
	})
}

// What the bot printed is passed on without the token.
func TestSecretsOfOurs(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(4, 4, ours(initialise(4, 4)), map[string]fakecluster.SDK{"0": {ExitAfter: time.Second, ExitCode: 1, NeverListen: true}})
		f.connect(m, "c", 0, 3)
		f.must("the cluster gives up", time.Minute, f.sawN("cluster.gave_up", 1))
		for _, h := range f.events {
			if up, is := h.event.(messages.ClusterGaveUp); is && !strings.Contains(up.Output, "fake bot: scripted exit\n (token [redacted], or\n[redacted], or [redacted])") {
				f.t.Errorf("output %q", up.Output)
			}
		}
	})
}
