package scenarios

import (
	"regexp"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// environment is the option of a machine whose bots know their environment alone, ready by a rule.
func environment(r messages.ReadyRule) func(o *actors.Options) {
	return func(o *actors.Options) { o.Cluster.Protocol, o.Cluster.Ready = messages.ProtocolEnv, r }
}

// bySite is a rule, and the probe beside it, that asks the bot itself.
func bySite(o *actors.Options) {
	environment(messages.ReadyRule{URL: "http://127.0.0.1:{9000+cluster}/"})(o)
	o.Cluster.Probe = "http://127.0.0.1:{9000+cluster}/"
}

// siteOf returns the address at which the fake bot of a cluster answers then.
func siteOf(cluster string) string { return "http://127.0.0.1:900" + cluster + "/" }

// envs adds a machine of bots that know their environment alone.
func (f *fleet) envs(shards, maxConcurrency int, odd func(cluster string, start int) fakecluster.Env, change ...func(*actors.Options)) *machine {
	f.t.Helper()
	programs := f.bots(func(cluster string, start int) (sim.Program, error) {
		e := fakecluster.Env{}
		if odd != nil {
			e = odd(cluster, start)
		}
		e.Discord, e.Library = f.discord, fakecluster.AnyLibrary(f.discord)
		return e.Program, nil
	})
	m := f.aloneWith(rules.Config{ShardCount: shards, MaxConcurrency: maxConcurrency, IdentifyTotal: 100000}, ours(initialise(shards, maxConcurrency)), programs, change...)
	f.connect(m, "c", 0, shards-1)
	return m
}

// Bots without a protocol come up one cluster after the other, each once its rule reports the
// previous one ready, and the last goes at an order by SIGTERM.
func TestEnvStarts(t *testing.T) {
	for name, tc := range map[string]struct {
		rule  messages.ReadyRule
		bot   func(cluster string) fakecluster.Env
		limit time.Duration // for three clusters of four shards
	}{
		"after a while":        {messages.ReadyRule{After: time.Minute}, func(string) fakecluster.Env { return fakecluster.Env{Boot: time.Second} }, 210 * time.Second},
		"after less than that": {messages.ReadyRule{After: time.Second}, func(string) fakecluster.Env { return fakecluster.Env{} }, 200 * time.Second},
		"a line of its output": {messages.ReadyRule{Log: regexp.MustCompile(`^Logged in as .+#\d{4}$`)},
			func(string) fakecluster.Env {
				return fakecluster.Env{Boot: time.Second, ReadyLine: "Logged in as bot#0001"}
			}, 80 * time.Second},
		"its own address": {messages.ReadyRule{URL: "http://127.0.0.1:{9000+cluster}/"},
			func(cluster string) fakecluster.Env { return fakecluster.Env{Site: siteOf(cluster)} }, 80 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 10, func(f *fleet) {
				perBucket := 2
				m := f.envs(12, 2, func(cluster string, _ int) fakecluster.Env { return tc.bot(cluster) }, environment(tc.rule), func(o *actors.Options) { o.Cluster.ShardsPerCluster = 2 * perBucket })
				f.must("all reported ready", tc.limit, f.sawN("cluster.ready", 3))
				want(f, "owned", f.owned(12)(), true)
				f.pass(10 * time.Minute)
				want(f, "deaths", f.saw("cluster.died"), 0)
				if took := f.stopControl(m); took > time.Second {
					f.t.Fatalf("stopping took %v", took)
				}
			})
		})
	}
}

// A bot that is asked whether it is ready is so within a second.
func TestEnvIsAskedEachSecond(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.envs(2, 2, func(cluster string, _ int) fakecluster.Env {
			return fakecluster.Env{Site: siteOf(cluster), Boot: time.Duration(10000+f.loop.Rand.IntN(2000)) * time.Millisecond}
		}, environment(messages.ReadyRule{URL: "http://127.0.0.1:{9000+cluster}/"}))
		f.must("its shards are READY", time.Minute, f.owned(2))
		f.must("it is", 1200*time.Millisecond, f.sawN("cluster.ready", 1))
	})
}

// One that dies is started again, in its turn; one that is never ready is given up; one that takes
// no SIGTERM is killed.
func TestEnvFails(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.envs(6, 2, func(cluster string, start int) fakecluster.Env {
			switch {
			case cluster == "0" && start < 3:
				return fakecluster.Env{DieAfter: 3 * time.Second, ReadyLine: "never"}
			case cluster == "1":
				return fakecluster.Env{Deaf: true}
			default:
				return fakecluster.Env{ReadyLine: "up", IgnoreTerm: true}
			}
		}, environment(messages.ReadyRule{Log: regexp.MustCompile("up")}))
		f.must("the third start of 0", 40*time.Minute, f.stateIs(m, 0, messages.ClusterServing))
		f.must("2", 40*time.Minute, f.stateIs(m, 2, messages.ClusterServing))
		f.must("1 is given up", time.Hour, f.stateIs(m, 1, messages.ClusterFailed))
		up := last[messages.ClusterGaveUp](f)
		want(f, "cause", up.Causes[0][:13], "start_timeout")
		want(f, "starts of 0", f.starts["0"], 3)
		f.order(m, messages.DrainCluster{Cluster: 0})
		f.must("stopped", 11*time.Second, f.stateIs(m, 0, messages.ClusterStopped))
		f.stop(m, 2)
	})
}

// A bot that is probed is killed when it stops answering, and when it reports that it is unhealthy;
// one that is not probed is left alone.
func TestEnvIsProbed(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.envs(2, 2, func(cluster string, start int) fakecluster.Env {
			e := fakecluster.Env{Site: siteOf(cluster)}
			if start == 1 {
				e.SickAfter = 2 * time.Minute
			}
			return e
		}, bySite)
		f.must("it is killed", 3*time.Minute, f.sawN("cluster.died", 1))
		want(f, "cause", last[messages.ClusterDied](f).Cause, messages.CauseMute)
		f.must("serving", time.Minute, f.stateIs(m, 0, messages.ClusterServing))
		f.processOf(m, "0").Signal(syscall.SIGSTOP)
		f.pass(20 * time.Second)
		f.processOf(m, "0").Signal(syscall.SIGCONT)
		f.pass(time.Minute)
		want(f, "deaths", f.saw("cluster.died"), 1)
		f.processOf(m, "0").Signal(syscall.SIGSTOP)
		f.must("its hang is seen", 45*time.Second, f.sawN("cluster.died", 2))
		f.must("serving again", time.Minute, f.stateIs(m, 0, messages.ClusterServing))
	})
}

// CONTROL is killed at any time: the next one takes the processes back by their pids, and starts
// none beside them.
func TestEnvIsTakenBack(t *testing.T) {
	seeds(t, func(f *fleet) {
		rule := environment(messages.ReadyRule{After: 10 * time.Second})
		m := f.envs(8, 2, nil, rule)
		f.pass(time.Duration(f.loop.Rand.IntN(90000)) * time.Millisecond)
		before := f.pids(m)
		m.Crash()
		f.pass(time.Duration(f.loop.Rand.IntN(5000)) * time.Millisecond)
		f.boot(m, rule)
		f.must("linked again", time.Minute, f.sawN("master.linked", 2))
		f.connect(m, "again", 0, 7) // it may have died before it had written the first one down
		f.must("all READY", 20*time.Minute, f.owned(8))
		for id := range messages.ClusterID(4) {
			f.must("serving", time.Minute, f.stateIs(m, id, messages.ClusterServing))
		}
		if len(before) > 0 && f.pids(m)[:len(before)] != before {
			f.t.Fatalf("processes %s, before %s\n%s", f.pids(m), before, f.log)
		}
		want(f, "identifies", f.identifies(), 8)
	})
}

// A rolling restart starts one after the other.
func TestEnvRolls(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.envs(4, 2, func(string, int) fakecluster.Env { return fakecluster.Env{ReadyLine: "up"} }, environment(messages.ReadyRule{Log: regexp.MustCompile("up")}))
		f.must("all READY", time.Minute, f.sawN("cluster.ready", 2))
		f.order(m, messages.RollingRestart{})
		f.must("done", 10*time.Minute, func() bool {
			e := events[messages.RollingRestartMoved](f)
			return len(e) > 0 && e[len(e)-1].State == "done"
		})
		want(f, "owned", f.owned(4)(), true)
		want(f, "identifies", f.identifies(), 8)
	})
}

// A process that was started otherwise than it would be now is ended and replaced, one cluster at a
// time in a bucket.
func TestEnvIsReplaced(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		rule := environment(messages.ReadyRule{After: 10 * time.Second})
		m := f.envs(4, 2, nil, rule)
		f.must("READY", 2*time.Minute, f.sawN("cluster.ready", 2))
		m.Crash()
		f.boot(m, rule, func(o *actors.Options) { o.Cluster.ExtraEnv = []string{"COLOUR=blue"} })
		f.must("READY again", 3*time.Minute, f.sawN("cluster.ready", 4))
		for _, p := range m.Processes() {
			want(f, "colour", p.Env("COLOUR"), "blue")
		}
		want(f, "processes", len(m.Processes()), 2)
		want(f, "identifies", f.identifies(), 8)
	})
}

// A bot that held its buckets until it was ready, and CONTROL beside it, die while it serves: the
// next one waits for the buckets no longer than an identify needs.
func TestEnvDiesWhileControlIsAway(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		rule := environment(messages.ReadyRule{Log: regexp.MustCompile("up")})
		m := f.envs(4, 2, func(string, int) fakecluster.Env { return fakecluster.Env{ReadyLine: "up"} }, rule)
		f.must("all READY", time.Minute, f.sawN("cluster.ready", 2))
		f.pass(time.Duration(1+f.loop.Rand.IntN(20)) * time.Second)
		m.Crash()
		for _, p := range m.Processes() {
			p.Signal(syscall.SIGKILL)
		}
		f.pass(time.Duration(500+f.loop.Rand.IntN(2000)) * time.Millisecond) // MASTER sees the link go
		f.boot(m, rule)
		f.must("all READY again", 40*time.Second, f.owned(4))
	})
}
