package scenarios

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// clusterOf casts one cluster; the others are good.
func clusterOf(id string, c fakecluster.SDK) func(string, int) fakecluster.SDK {
	return func(cluster string, _ int) fakecluster.SDK {
		if cluster == id {
			return c
		}
		return fakecluster.SDK{}
	}
}

// Processes that live without opening a socket, where none ever did, may be bots of another kind,
// which serve: each is reported once and left running. One that was only slow starts as any.
func TestProcessesThatNeverSpeak(t *testing.T) {
	for name, boot := range map[string]time.Duration{"never": 0, "slow": 2 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				bot := fakecluster.SDK{NeverListen: boot == 0, Boot: boot}
				m := f.aloneWith(rules.Config{ShardCount: 20}, ours(initialise(20, 1)), f.cast(func(string, int) fakecluster.SDK { return bot }))
				f.connect(m, "c", 0, 19)
				f.must("both are reported", 40*time.Second, f.sawN("bot.silent", 2))
				silent := last[messages.BotSilent](f)
				if !strings.Contains(silent.Err, "did not open within 30s") || !strings.Contains(silent.Cure, "--cluster.protocol gateway") {
					f.t.Fatalf("silent: %+v", silent)
				}
				if f.pass(10 * time.Minute); boot > 0 {
					f.must("both serve", 3*time.Minute, f.owned(20))
				}
				for _, id := range []string{"0", "1"} {
					want(f, "starts of "+id, f.starts[id], 1)
				}
				for event, times := range map[string]int{"bot.silent": 2, "cluster.died": 0, "cluster.gave_up": 0} {
					if !f.sawN(event, times)() || f.sawN(event, times+1)() {
						f.t.Fatalf("%s not %d times", event, times)
					}
				}
			})
		})
	}
}

// A cluster that never starts properly gets three restarts, then CONTROL gives up on it and reports
// that once, to MASTER too; the other cluster never notices. An operator gives it a fresh budget.
func TestClusterThatNeverStarts(t *testing.T) {
	for name, story := range map[string]struct {
		bot    fakecluster.SDK
		cause  messages.Cause
		detail string
		each   time.Duration // an attempt takes at most
	}{
		"exits at once":            {fakecluster.SDK{ExitAfter: 1, ExitCode: 3}, messages.CauseExited, "exit code 3", time.Second},
		"exits while it connects":  {fakecluster.SDK{ExitAfter: 9 * time.Second, ExitCode: 1}, messages.CauseExited, "exit code 1", 10 * time.Second},
		"never opens its socket":   {fakecluster.SDK{NeverListen: true}, messages.CauseHelloTimeout, "did not open within", 84 * time.Second},
		"opens it, sends nothing":  {fakecluster.SDK{Silent: true}, messages.CauseHelloTimeout, "HELLO was not answered within", 84 * time.Second},
		"and ignores SIGTERM":      {fakecluster.SDK{Silent: true, IgnoreTerm: true}, messages.CauseHelloTimeout, "HELLO was not answered within", 86 * time.Second},
		"answers with another id":  {fakecluster.SDK{WrongID: true}, messages.CauseStartFailed, "want the instance's own", time.Second},
		"sends no heartbeat":       {fakecluster.SDK{MuteAfter: 1, NoSessions: true}, messages.CauseMute, "no heartbeat for 10.5", 11 * time.Second},
		"dies on its first permit": {fakecluster.SDK{DieOnPermit: true}, messages.CauseExited, "exit code 1", 40 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				m := f.aloneWith(rules.Config{ShardCount: 20}, ours(initialise(20, 1)), f.cast(clusterOf("1", story.bot)))
				f.connect(m, "c", 0, 19)
				f.must("giving up", 4*story.each+9*time.Second, f.sawN("cluster.gave_up", 1))
				up := last[messages.ClusterGaveUp](f)
				want(f, "cluster", up.Cluster, 1)
				for _, c := range up.Causes {
					if !strings.HasPrefix(c, string(story.cause)) || !strings.Contains(c, story.detail) {
						f.t.Fatalf("cause %q, want %s: … %s", c, story.cause, story.detail)
					}
				}
				f.must("MASTER hears it", time.Second, func() bool { return len(sent[messages.MasterError](f, m)) == 1 })
				e := sent[messages.MasterError](f, m)[0]
				want(f, "reported to MASTER", fmt.Sprintf("%s %s %s", e.Kind, e.Cluster, e.Shards), "cluster.gave_up 1 10-19")
				f.must("the other is READY", 3*time.Minute, f.owned(10))
				f.pass(10 * time.Minute)
				want(f, "starts", f.starts["1"], 4)
				want(f, "starts of the other", f.starts["0"], 1)
				all := sent[messages.Info](f, m)
				want(f, "range", rangesOf(all[len(all)-1]), "0-19 failed")
				f.restart(m, 1)
				f.must("giving up again", 4*story.each+9*time.Second, f.sawN("cluster.gave_up", 2))
				want(f, "starts", f.starts["1"], 8)
				want(f, "starts of the other", f.starts["0"], 1)
			})
		})
	}
}

// Three failed starts, then a good one: the count starts again with the next death.
func TestAProperStartForgetsTheFailures(t *testing.T) {
	seeds(t, func(f *fleet) {
		program := f.cast(func(_ string, start int) fakecluster.SDK {
			if start%4 != 0 {
				return fakecluster.SDK{ExitAfter: 1}
			}
			return fakecluster.SDK{}
		})
		m := f.aloneWith(rules.Config{ShardCount: 2}, ours(initialise(2, 1)), program)
		for run := range 3 {
			if run == 0 {
				f.connect(m, "c", 0, 1)
			}
			f.must("READY", time.Minute, f.sawN("cluster.ready", run+1))
			f.pass(time.Duration(f.loop.Rand.IntN(120)) * time.Second)
			f.processOf(m, "0").Exit(1, "crash")
		}
		f.must("READY", time.Minute, f.sawN("cluster.ready", 4))
		want(f, "gave up", f.saw("cluster.gave_up"), 0)
		want(f, "starts", f.starts["0"], 16)
	})
}

// A close code that no restart repairs: no restart, one identify, MASTER gets fatal; the healthy
// cluster goes on.
func TestFatalCode(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 20, DisallowedIntents: 2}, ours(initialise(20, 1)), f.cast(clusterOf("1", fakecluster.SDK{Intents: 2})))
		f.connect(m, "c", 0, 19)
		f.must("the end of cluster 1", 2*time.Minute, f.sawN("cluster.fatal", 1))
		want(f, "code", last[messages.ClusterFatal](f).CloseCode, 4014)
		f.must("the other is READY", 3*time.Minute, f.owned(10))
		f.pass(10 * time.Minute)
		fatal := sent[messages.Fatal](f, m)
		want(f, "fatals to MASTER", len(fatal), 1)
		want(f, "reported to MASTER", fmt.Sprintf("%d %s %s", fatal[0].Code, fatal[0].Cluster, fatal[0].Shards), "4014 1 10-19")
		want(f, "starts", f.starts["1"], 1)
		want(f, "identifies", f.identifies(), 11)
		want(f, "gave up", f.saw("cluster.gave_up"), 0)
	})
}

// A token that Discord refuses costs one identify a cluster, and the whole machine stops where no
// MASTER can order it.
func TestRefusedToken(t *testing.T) {
	for _, linked := range []bool{true, false} {
		t.Run(fmt.Sprintf("linked %v", linked), func(t *testing.T) {
			seeds(t, func(f *fleet) {
				m := f.alone(40, 1, ours(initialise(40, 1)), nil)
				f.discord.Step(rules.Fault{Kind: rules.FaultRefuseToken, Shard: rules.All})
				f.connect(m, "c", 0, 39)
				f.must("the order", time.Second, f.acked(m, "c", "connecting"))
				if !linked {
					f.net.Cut("m1", "master")
					f.must("the loss", 11*time.Second, f.sawN("master.lost", 1))
				}
				f.must("no process is left", time.Minute, f.running(m, 0))
				f.pass(10 * time.Minute)
				if got := f.discord.Rules.Counts().InvalidTokens; got > 4 || linked && got != 4 {
					f.t.Fatalf("%d identifies with a bad token", got)
				}
				want(f, "restarts", f.saw("cluster.died"), 0)
			})
		})
	}
}

// A bot that identifies every shard and dies before they are READY has its three restarts, as any
// other: what it uses up is no storm.
func TestThreeRestartsOfOneThatIdentifies(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(8, 8, ours(initialise(8, 8)), map[string]fakecluster.SDK{"0": {DieIdentified: true, NoSessions: true}})
		f.connect(m, "c", 0, 7)
		f.must("it gives up", 2*time.Minute, f.sawN("cluster.gave_up", 1))
		want(f, "starts", f.starts["0"], 4)
		want(f, "identifies", f.identifies() > 16, true)
		want(f, "storms", f.saw("cluster.identify_storm"), 0)
	})
}
