package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// Discord takes back the token of a fleet of 100 shards that is just starting, or forbids its
// intents: at most max_concurrency identifies are spent on it, every machine stops, and nothing
// identifies with that token again, whatever restarts.
func TestOneBadToken(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 100, MaxConcurrency: 5, DisallowedIntents: 1 << 8})
		forbidden := f.loop.Rand.IntN(2) == 0
		own := f.withOwnMaster(4)
		var machines []*machine
		for i := range 4 {
			machines = append(machines, f.add(fmt.Sprintf("m%d", i+1), f.cast(func(string, int) fakecluster.SDK {
				if forbidden {
					return fakecluster.SDK{Intents: 1 << 8}
				}
				return fakecluster.SDK{}
			}), sesame))
		}
		if !forbidden {
			f.must("a few are READY", time.Minute, func() bool { return f.discord.Rules.Counts().Owned > 0 })
			f.discord.Step(rules.Fault{Kind: rules.FaultRefuseToken})
			f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: rules.All, Code: 4004})
		}
		before := f.identifies()
		f.must("every machine is stopped", 2*time.Minute, func() bool {
			for _, m := range machines {
				if len(m.Processes()) > 0 {
					return false
				}
			}
			return own.saw("fleet.halted") == 1
		})
		f.pass(time.Second) // what was under way arrives
		spent := f.identifies() - before + f.discord.Rules.Counts().InvalidTokens
		if spent > 5 {
			f.t.Errorf("%d identifies and resumes were spent on a dead token, want at most max_concurrency", spent)
		}
		if forbidden && f.loop.Rand.IntN(2) == 0 { // else it would ask REST, and get 401
			own.Crash()
			own.start()
		}
		f.crash(machines[0])
		f.boot(machines[0], sesame)
		spent = f.identifies() + f.discord.Rules.Counts().InvalidTokens
		f.pass(5 * time.Minute)
		want(f, "identifies after the halt", f.identifies()+f.discord.Rules.Counts().InvalidTokens, spent)
		for _, m := range machines {
			want(f, "processes of "+m.Name, len(m.Processes()), 0)
		}
	})
}

// Where MASTER is away, the machine that learns it stops itself, and another token ends the halt.
func TestHaltsAlone(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 32, MaxConcurrency: 16})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("operational", time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		own.Crash()
		f.pass(time.Duration(f.loop.Rand.IntN(20)) * time.Second)
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 3, Code: 4014})
		f.must("everything is stopped", 20*time.Second, func() bool { return len(m.Processes()) == 0 && f.saw("fleet.halted") == 1 })
		own.options.Token = "another-token"
		f.discord.Step(rules.Fault{Kind: rules.FaultAcceptToken, Token: "another-token"})
		own.start()
		f.must("every shard READY with another token", 3*time.Minute, f.owned(32))
	})
}

// A halted machine is not ready for as long as it is halted, also in the next run of CONTROL, and
// the event names what to change.
func TestHaltIsReported(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 16})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame, withStatus)
		f.must("operational", time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 3, Code: 4014})
		f.must("everything is stopped", 20*time.Second, func() bool { return len(m.Processes()) == 0 && f.saw("fleet.halted") == 1 })
		want(f, "hint", strings.Contains(last[messages.FleetHalted](f).Hint, "developer portal"), true)
		for i := range 6 {
			f.pass(20 * time.Second)
			if i == 3 {
				f.crash(m)
				f.boot(m, sesame, withStatus)
				f.pass(5 * time.Second)
			}
			ready, why := f.look(m).Ready()
			want(f, "ready", ready, false)
			want(f, "why", why, "halted: Discord refuses the token or its intents")
		}
		want(f, "halted", f.saw("fleet.halted"), 1)
	})
}

// Discord refuses a shard of this number: its cluster is stopped once, the others go on, and MASTER
// asks for Discord's recommendation, though the operator set their number.
func TestWrongShardCount(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 32, MaxConcurrency: 8})
		own := f.withOwnMaster(1, func(o *master.Options) { o.Shards, o.MaxConcurrency = 16, 8 })
		m := f.add("m1", f.good(nil), sesame, withStatus)
		f.must("operational", time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 3, Code: 4011})
		f.must("the answer of Discord", 20*time.Second, func() bool { return own.saw("shards.recommended") == 1 })
		fatal := last[messages.ClusterFatal](f)
		want(f, "hint", strings.Contains(fatal.Hint, "fleet.shards"), true)
		i := slices.IndexFunc(own.events, func(e messages.Event) bool { _, is := e.(messages.ShardsRecommended); return is })
		want(f, "recommended", own.events[i], messages.Event(messages.ShardsRecommended{ShardCount: 16, Recommended: 32, CloseCode: 4011, Hint: fatal.Hint}))
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 11, Code: 4011})
		f.must("the other is stopped", 20*time.Second, f.stateIs(m, 1, messages.ClusterFailed))
		f.pass(time.Minute)
		want(f, "reported", own.saw("shards.recommended"), 1)
		want(f, "fatal", f.saw("cluster.fatal"), 2)
		want(f, "identifies", f.identifies(), 16)
	})
}

// The link breaks before MASTER answers a fatal failure: the machine stops itself.
func TestHaltsWhenTheLinkBreaks(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(32, 16, ours(initialise(32, 16)), nil)
		f.serve(m, "c", 0, 31)
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 3, Code: 4014})
		f.must("MASTER hears of it", time.Second, func() bool { return len(sent[messages.Fatal](f, m)) > 0 })
		want(f, "halted", f.saw("fleet.halted"), 0)
		f.net.Drop("m1", "master")
		f.must("it stops", 20*time.Second, func() bool { return f.saw("fleet.halted") == 1 && len(m.Processes()) == 0 })
	})
}
