package scenarios

import (
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
)

// This file tests what one run of CONTROL leaves to the next: each fact that is on disk because a
// crash at the wrong moment would cost a process, a session or the pace.

// A rolling restart is done, and CONTROL dies. The next run knows the processes that run, not the
// ones that they replaced.
func TestNextRunKnowsTheSuccessors(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 20, MaxConcurrency: 10})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("operational", time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		f.roll(m)
		f.must("done", time.Minute, f.rolls("done"))
		f.succeeds = false
		before := f.pids(m)
		f.pass(time.Second)
		f.crash(m)
		f.boot(m, sesame)
		f.must("taken back", 20*time.Second, f.sawN("cluster.adopted", 2))
		f.pass(time.Minute)
		want(f, "processes", f.pids(m), before)
		want(f, "identifies", f.identifies(), 20)
	})
}

// The machine cannot start the bot for a minute and a half: the sessions of the dead process are
// too old by then, and are not offered. Before that they are.
func TestSessionsGrowOld(t *testing.T) {
	for name, tc := range map[string]struct {
		away     time.Duration
		identify int
	}{"young": {40 * time.Second, 10}, "old": {80 * time.Second, 20}} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				m := f.aloneWith(rules.Config{ShardCount: 10, MaxConcurrency: 10, SessionWindow: time.Hour}, ours(initialise(10, 10)), f.good(nil))
				f.serve(m, "c", 0, 9)
				f.pass(10 * time.Second)
				f.order(m, messages.DrainCluster{Cluster: 0})
				f.must("drained", 20*time.Second, f.stateIs(m, 0, messages.ClusterStopped))
				f.pass(tc.away)
				f.restart(m, 0)
				f.must("READY", time.Minute, f.owned(10))
				want(f, "identifies", f.identifies(), tc.identify)
			})
		})
	}
}

// A fresh restart is ordered, and CONTROL and the bot die before the new process is READY: the next
// run does not know the old sessions either.
func TestFreshIsFreshForTheNextRun(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 10, MaxConcurrency: 10}, ours(initialise(10, 10)), f.cast(func(_ string, start int) fakecluster.SDK {
			return fakecluster.SDK{Boot: time.Duration(start-1) * 5 * time.Second}
		}))
		f.serve(m, "c", 0, 9)
		f.pass(10 * time.Second)
		f.order(m, messages.RestartCluster{Cluster: 0, Fresh: true})
		f.must("started again", 20*time.Second, func() bool { return f.starts["0"] == 2 })
		f.pass(time.Second)
		f.crash(m)
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.pass(time.Second)
		f.boot(m)
		f.must("READY", 2*time.Minute, f.owned(10))
		want(f, "identifies", f.identifies(), 20)
	})
}

// MASTER brings the sessions of a machine that died, and CONTROL dies before its bots have taken
// them: they are in the next run's store.
func TestBroughtSessionsOutliveControl(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		slow := f.cast(func(string, int) fakecluster.SDK { return fakecluster.SDK{Boot: 5 * time.Second} })
		m := f.aloneWith(rules.Config{ShardCount: 10, MaxConcurrency: 10}, ours(initialise(10, 10)), slow)
		f.master.Send("m1", messages.Connect{ID: "c", Range: &messages.ShardRange{First: 0, Last: 9},
			Sessions: []messages.Session{{Shard: 3, ShardCount: 10, SessionID: "brought", Seq: 7, ResumeGatewayURL: "wss://resume", At: messages.At(time.Now())}}})
		f.must("started", 10*time.Second, f.running(m, 1))
		f.pass(time.Second)
		f.crash(m)
		want(f, "the session is on disk", strings.Contains(m.File("sessions-0.json"), `"brought"`), true)
		f.boot(m)
		f.must("READY", 2*time.Minute, f.owned(10))
	})
}

// MASTER sets a lease, and CONTROL dies. The next run, which MASTER does not reach, ends its
// clusters in time.
func TestLeaseIsRemembered(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(16, 16, ours(initialise(16, 16)), nil)
		f.serve(m, "c", 0, 15)
		f.master.Send("m1", fencing(16, 16).Initialise)
		f.pass(5 * time.Second)
		f.crash(m)
		f.net.Cut("m1", "master")
		f.boot(m)
		f.must("it stops", 40*time.Second, f.running(m, 0))
		f.pass(time.Minute)
		want(f, "processes", len(m.Processes()), 0)
	})
}

// A bot that paces itself takes long to boot, identifies at last, and the machine loses its power.
// The next run keeps the bucket from that moment on, not from when it was asked for first.
func TestReservationIsRemembered(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.envs(1, 1, func(_ string, start int) fakecluster.Env {
			if start == 1 {
				return fakecluster.Env{Boot: 110 * time.Second, ReadyLine: "ready"}
			}
			return fakecluster.Env{ReadyLine: "ready"}
		}, environment(messages.ReadyRule{Log: regexp.MustCompile("ready")}))
		f.must("it identifies", 2*time.Minute, func() bool { return f.identifies() == 1 })
		f.powerOff(m)
		f.pass(time.Duration(f.loop.Rand.IntN(1000)) * time.Millisecond)
		f.boot(m, environment(messages.ReadyRule{Log: regexp.MustCompile("ready")}))
		f.pass(5 * time.Minute)
		want(f, "owned", f.owned(1)(), true)
	})
}

// A bot that reports no shards was ready once. The next run of CONTROL does not wait for that
// again, which may never come.
func TestServedIsRemembered(t *testing.T) {
	for name, tc := range map[string]struct {
		bots   func(f *fleet) *machine
		change func(*actors.Options)
	}{
		"by the time that passed": {func(f *fleet) *machine { return f.envs(1, 1, nil, environment(messages.ReadyRule{After: time.Minute})) },
			environment(messages.ReadyRule{After: time.Minute})},
		"by an address that answers no more": {func(f *fleet) *machine {
			return f.envs(1, 1, func(string, int) fakecluster.Env {
				return fakecluster.Env{Site: siteOf("0"), SickAfter: time.Minute}
			}, environment(messages.ReadyRule{URL: "http://127.0.0.1:{9000+cluster}/"}))
		}, environment(messages.ReadyRule{URL: "http://127.0.0.1:{9000+cluster}/"})},
		"by CONNECTED": {func(f *fleet) *machine { return f.stocks(1, 1, nil) }, discordoo},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				m := tc.bots(f)
				f.must("it serves", 4*time.Minute, f.stateIs(m, 0, messages.ClusterServing))
				f.pass(time.Minute)
				f.crash(m)
				f.boot(m, tc.change)
				f.must("it is taken back", 2*time.Second, f.sawN("cluster.adopted", 1))
				f.must("it serves", time.Second, f.stateIs(m, 0, messages.ClusterServing))
			})
		})
	}
}

// The disk is full while a process is started, and has room later: its record is written then. By
// that the next run finds a process of which there is no other trace.
func TestRecordIsMadeUpFor(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(8, 8, ours(initialise(8, 8)), nil)
		f.serve(m, "c", 0, 7)
		f.pass(time.Minute)
		m.DiskErr = sim.ErrDiskFull
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.must("READY again", time.Minute, f.sawN("cluster.ready", 2))
		m.DiskErr = nil
		f.pass(11 * time.Second)
		before := f.pids(m)
		f.processOf(m, "0").Wipe()
		f.crash(m)
		f.boot(m)
		f.must("taken back", 5*time.Second, f.sawN("cluster.adopted", 1))
		want(f, "processes", f.pids(m), before)
	})
}

// CONTROL dies while it gives back a range whose bot ignores SIGTERM, and has set its title:
// the next run, which serves that range no more, finds it by its record alone, and ends it.
func TestLeftoverIsFoundByItsRecord(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(16, 8, ours(initialise(16, 8)), map[string]fakecluster.SDK{"1": {IgnoreTerm: true}})
		f.connect(m, "c", 0, 7)
		f.connect(m, "d", 8, 15)
		f.must("all", time.Minute, f.owned(16))
		f.pass(10 * time.Second)
		f.processOf(m, "1").Wipe()
		f.master.Send("m1", messages.Offload{ID: "o", Range: messages.ShardRange{First: 8, Last: 15}})
		f.pass(time.Second)
		f.crash(m)
		want(f, "processes", len(m.Processes()), 2)
		f.boot(m)
		f.must("it is ended", 30*time.Second, f.running(m, 1))
		want(f, "the other", f.processOf(m, "0") != nil, true)
	})
}

// A bot is slow to start, and CONTROL dies and is back before it is ready: being taken back does
// not make it ready. One that never gets there is ended in time.
func TestTakenBackIsNotReady(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		rule := environment(messages.ReadyRule{Log: regexp.MustCompile("ready")})
		m := f.envs(1, 1, func(string, int) fakecluster.Env { return fakecluster.Env{Deaf: true} }, rule)
		f.must("it starts", time.Minute, f.running(m, 1))
		f.pass(10 * time.Second)
		f.crash(m)
		f.boot(m, rule)
		f.must("it is ended", 6*time.Minute, f.sawN("cluster.died", 1))
		want(f, "cause", last[messages.ClusterDied](f).Cause, messages.CauseStartTimeout)
		want(f, "cluster.adopted", f.saw("cluster.adopted"), 0)
	})
}

// A process that was taken back answers no HELLO. One that hangs is killed as soon as any that
// hangs; one whose socket is gone has the time of a start.
func TestTakenBackAndDeaf(t *testing.T) {
	for name, tc := range map[string]struct {
		bot    fakecluster.SDK
		hangs  bool
		cause  messages.Cause
		within time.Duration
	}{
		"it hangs":           {fakecluster.SDK{}, true, messages.CauseMute, 11 * time.Second},
		"its socket is gone": {fakecluster.SDK{HangUpAfter: time.Minute, StayAway: true}, false, messages.CauseHelloTimeout, 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 5, func(f *fleet) {
				m := f.alone(8, 8, ours(initialise(8, 8)), map[string]fakecluster.SDK{"0": tc.bot})
				f.serve(m, "c", 0, 7)
				f.crash(m)
				f.pass(time.Minute)
				if tc.hangs {
					f.processOf(m, "0").Signal(syscall.SIGSTOP)
				}
				f.boot(m)
				f.must("it is ended", tc.within, f.sawN("cluster.died", 1))
				want(f, "cause", last[messages.ClusterDied](f).Cause, tc.cause)
			})
		})
	}
}

// CONTROL has taken its processes back, its disk fails, and its own code panics: the restarted
// actor knows its process without the disk.
func TestTakenBackIsKnownWithoutTheDisk(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.panics = true
		m, _ := f.threeServe()
		before := f.pids(m)
		f.crash(m)
		f.boot(m, sesame)
		f.must("taken back", 5*time.Second, f.sawN("cluster.adopted", 3))
		m.ReadErr = unreadable
		once := false
		m.Panic = func(actor string, msg any) bool {
			hit := !once && actor == "cluster/1" && typeOf(msg) == "cluster.socketFrame"
			once = once || hit
			return hit
		}
		f.must("a panic, and it is taken back again", 10*time.Second, f.sawN("cluster.adopted", 4))
		want(f, "cluster.unknown", f.saw("cluster.unknown"), 0)
		want(f, "processes", f.pids(m), before)
	})
}
