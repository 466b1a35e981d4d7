package scenarios

import (
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// discordoo makes a machine's bots stock Discordoos.
func discordoo(o *actors.Options) {
	o.Cluster.Protocol, o.Cluster.Sockets = messages.ProtocolDiscordoo, "/tmp/ddoo"
}

// stocks adds a machine of stock Discordoos with the settings of an own or a scripted MASTER; odd
// gives a start of a cluster its character.
func (f *fleet) stocks(shards, maxConcurrency int, odd func(cluster string, start int) fakecluster.Stock) *machine {
	f.t.Helper()
	m := f.aloneWith(rules.Config{ShardCount: shards, MaxConcurrency: maxConcurrency, IdentifyTotal: 100000}, ours(initialise(shards, maxConcurrency)), f.stockPrograms(odd), discordoo)
	f.connect(m, "c", 0, shards-1)
	return m
}

func (f *fleet) stockPrograms(odd func(cluster string, start int) fakecluster.Stock) func(proc.Spec) (sim.Program, error) {
	return f.bots(func(cluster string, start int) (sim.Program, error) {
		s := fakecluster.Stock{}
		if odd != nil {
			s = odd(cluster, start)
		}
		s.Discord = f.discord
		return s.Program, nil
	})
}

// A stock Discordoo is probed by HELLO: it is not killed for its silence, and its hang is seen.
func TestStockInstanceIsProbed(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.stocks(2, 1, nil)
		f.must("serving", time.Minute, f.stateIs(m, 0, messages.ClusterServing))
		f.pass(10 * time.Minute)
		want(f, "deaths", f.saw("cluster.died"), 0)
		f.processOf(m, "0").Signal(syscall.SIGSTOP)
		f.pass(20 * time.Second)
		f.processOf(m, "0").Signal(syscall.SIGCONT) // node was busy
		f.pass(time.Minute)
		want(f, "deaths", f.saw("cluster.died"), 0)
		f.processOf(m, "0").Signal(syscall.SIGSTOP)
		f.must("its hang is seen", 40*time.Second, f.sawN("cluster.died", 1))
		want(f, "cause", last[messages.ClusterDied](f).Cause, messages.CauseMute)
		f.must("serving again", time.Minute, f.stateIs(m, 0, messages.ClusterServing))
	})
}

// The buckets of a whole cluster are kept for it before its process is started, and until all of
// its shards are connected: no two start side by side in one bucket, and none is started to wait.
func TestStockStartsOneAfterTheOther(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.stocks(30, 1, nil)
		for n := 1; n <= 3; n++ {
			// 9 × 15 s, and what is between
			f.must("one more READY", 145*time.Second, f.sawN("cluster.ready", n))
			want(f, "processes", len(m.Processes()), n)
		}
		want(f, "identifies", f.identifies(), 30)
	})
}

// Where the clusters lie in different buckets they start at once.
func TestStockStartsSideBySide(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 8, MaxConcurrency: 8}, ours(initialise(8, 8)), f.stockPrograms(nil), discordoo, func(o *actors.Options) { o.Cluster.ShardsPerCluster = 2 })
		f.connect(m, "c", 0, 7)
		f.must("all four", 25*time.Second, f.owned(8))
		want(f, "processes", len(m.Processes()), 4)
	})
}

// Stock clusters die while they start, and are killed when they serve: each waits for its turn
// again, and no limit is broken.
func TestStockDiesAnyTime(t *testing.T) {
	// in the 30th a bucket was kept on in the moment in which its process was started
	seedsOf(t, 40, func(f *fleet) {
		m := f.stocks(20, 2, func(_ string, start int) fakecluster.Stock {
			if start == 1 {
				return fakecluster.Stock{DieAfter: time.Duration(1+f.loop.Rand.IntN(150000)) * time.Millisecond}
			}
			return fakecluster.Stock{}
		})
		for range 20 {
			f.pass(time.Duration(f.loop.Rand.IntN(60000)) * time.Millisecond)
			if all := m.Processes(); len(all) > 0 && f.loop.Rand.IntN(3) == 0 {
				all[f.loop.Rand.IntN(len(all))].Signal(syscall.SIGKILL)
			}
		}
		f.must("all READY once it stops", 30*time.Minute, func() bool { f.recover(); return f.owned(20)() })
		for _, d := range events[messages.ClusterDied](f) {
			want(f, "cause", d.Cause, messages.CauseExited)
		}
	})
}

// A stock bot's reports of its end are distinguished by their text; a close code behind CONNECTED
// ends the process without any report.
func TestStockFails(t *testing.T) {
	for name, tc := range map[string]struct {
		bot    fakecluster.Stock
		refuse bool // the gateway refuses the token
		event  string
		code   int
		detail string
	}{
		"REST refuses the token":             {fakecluster.Stock{Refused: true}, false, "cluster.fatal", 4004, ""},
		"and the author catches the error":   {fakecluster.Stock{Refused: true, Catches: true}, false, "cluster.fatal", 4004, ""},
		"the gateway refuses it":             {fakecluster.Stock{}, true, "cluster.fatal", 4004, ""},
		"the older numbering":                {fakecluster.Stock{Old: true}, false, "cluster.gave_up", 0, "start_failed: the bot answers HELLO with op 2: it is a Discordoo older than v0.11"},
		"no shard is ever READY, unreported": {fakecluster.Stock{Deaf: true}, false, "cluster.gave_up", 0, "start_timeout: CONNECTED did not come in time"},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				m := f.stocks(2, 1, func(string, int) fakecluster.Stock { return tc.bot })
				if tc.refuse {
					f.discord.Step(rules.Fault{Kind: rules.FaultRefuseToken})
				}
				f.must(tc.event, 30*time.Minute, f.sawN(tc.event, 1))
				f.must("failed", time.Second, f.stateIs(m, 0, messages.ClusterFailed))
				f.must("its process is gone", 10*time.Second, f.running(m, 0))
				if tc.code != 0 {
					want(f, "close code", last[messages.ClusterFatal](f).CloseCode, tc.code)
					want(f, "starts", f.starts["0"], 1)
				} else {
					want(f, "starts", f.starts["0"], 4)
					if cause := last[messages.ClusterGaveUp](f).Causes[0]; !strings.Contains(cause, tc.detail) {
						f.t.Fatalf("cause: %s", cause)
					}
				}
			})
		})
	}
}

// A bot sends a frame over the size limit, which nothing upstream forbids: that costs it the link,
// the reason is reported to its author, and it serves on.
func TestStockShouts(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.stocks(2, 1, func(string, int) fakecluster.Stock { return fakecluster.Stock{ShoutAfter: time.Minute} })
		f.pass(5 * time.Minute)
		f.must("serving", time.Second, f.stateIs(m, 0, messages.ClusterServing))
		want(f, "deaths", f.saw("cluster.died"), 0)
		want(f, "reported", f.saw("packet.dropped"), 1)
		if dropped := last[messages.PacketDropped](f); dropped.From != "cluster 0" || !strings.Contains(dropped.Err, "limit 8388608") {
			f.t.Fatalf("reported: %+v", dropped)
		}
		f.stop(m, 0)
	})
}

// CONTROL is killed, while its stock bots serve and while one starts: the next one takes each back
// as it is.
func TestStockIsTakenBack(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.stocks(8, 1, nil)
		f.pass(time.Duration(f.loop.Rand.IntN(150000)) * time.Millisecond)
		started, before := len(m.Processes()), f.pids(m)
		m.Crash()
		f.pass(time.Duration(f.loop.Rand.IntN(5000)) * time.Millisecond)
		f.boot(m, discordoo)
		f.must("linked again", time.Minute, f.sawN("master.linked", 2))
		f.connect(m, "again", 0, 7) // it may have died before it had written the first one down
		f.must("all READY", 20*time.Minute, f.owned(8))
		f.must("serving", 10*time.Minute, f.stateIs(m, 0, messages.ClusterServing))
		if started > 0 {
			want(f, "processes", f.pids(m), before)
			want(f, "identifies", f.identifies(), 8)
		}
	})
}

// Two machines of stock bots, and CONTROL's own MASTER: the buckets are kept in the whole fleet,
// whatever dies.
func TestStockFleet(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 12, MaxConcurrency: 2, IdentifyTotal: 100000})
		f.withOwnMaster(2)
		for _, name := range []string{"m1", "m2"} {
			m := f.add(name, f.stockPrograms(nil), sesame, discordoo)
			f.loop.After(time.Duration(f.loop.Rand.IntN(120))*time.Second, func() {
				if all := m.Processes(); len(all) > 0 {
					all[f.loop.Rand.IntN(len(all))].Signal(syscall.SIGKILL)
				}
			})
		}
		f.pass(2 * time.Minute)
		f.must("all READY", 20*time.Minute, f.owned(12))
	})
}

// A rolling restart of stock bots restarts one after the other; they resume nothing.
func TestStockRolls(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.stocks(6, 2, nil)
		f.must("all READY", 10*time.Minute, f.owned(6))
		f.must("reported", time.Minute, f.sawN("cluster.ready", 3))
		f.order(m, messages.RollingRestart{})
		f.must("done", 10*time.Minute, func() bool {
			e := events[messages.RollingRestartMoved](f)
			return len(e) > 0 && e[len(e)-1].State == "done"
		})
		want(f, "owned", f.owned(6)(), true)
		want(f, "identifies", f.identifies(), 12)
		for id := range 3 {
			want(f, "starts", f.starts[strconv.Itoa(id)], 2)
		}
	})
}

// A stock bot's identifies are counted by its starts: one that uses up too many is started more
// slowly, and no more slowly than that.
func TestStockStorm(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.stocks(1, 1, func(string, int) fakecluster.Stock { return fakecluster.Stock{DieAfter: 20 * time.Second} })
		f.must("it is held back", 5*time.Minute, f.sawN("cluster.identify_storm", 1))
		want(f, "identifies", last[messages.ClusterIdentifyStorm](f).Identifies, 4)
		want(f, "identifies", f.identifies(), 4)
		f.must("it is started again", 2*time.Minute, func() bool { return f.identifies() == 5 })
		f.pass(time.Hour)
		want(f, "storms", f.saw("cluster.identify_storm"), 1)
		if n := f.identifies(); n > 10 {
			f.t.Errorf("%d identifies within an hour", n)
		}
	})
}
