package scenarios

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/cluster"
	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// gatewayHosts are programs that run a bot each, which outlives them: the next one of the cluster
// goes on with it. They end no bot themselves, so that CONTROL has to.
type gatewayHosts struct {
	f     *fleet
	m     *machine
	odd   func(start int) fakecluster.SDK // character of a host
	wipe  bool                            // bots overwrite their environment
	deaf  bool                            // bots ignore SIGTERM
	bots  int                             // that were started
	taken int                             // bots with which a host went on
}

// behindHosts changes a machine's options so that its bots run behind gateway hosts.
func behindHosts(o *actors.Options) { o.Cluster.Runner = []string{"gateway"} }

// isBehind reports whether a process is a bot behind a gateway host.
func isBehind(p *sim.Proc) bool { return strings.HasSuffix(p.Env("DISCLUSTER_OWNER"), "/bot") }

// hosts starts a machine with one cluster behind a gateway host, which serves.
func (f *fleet) hosts(odd func(start int) fakecluster.SDK) (*machine, *gatewayHosts) {
	f.t.Helper()
	g := &gatewayHosts{f: f, odd: odd, wipe: f.loop.Rand.IntN(2) == 0, deaf: f.loop.Rand.IntN(2) == 0}
	f.withDiscord(rules.Config{ShardCount: 1, MaxConcurrency: 1})
	f.withMaster(ours(initialise(1, 1)))
	g.m = f.add("m1", g.programs(), behindHosts)
	f.must("the link", time.Minute, f.sawN("master.linked", 1))
	f.serve(g.m, "c", 0, 0)
	return g.m, g
}

func (g *gatewayHosts) programs() func(proc.Spec) (sim.Program, error) {
	return g.f.bots(func(_ string, start int) (sim.Program, error) {
		host := fakecluster.SDK{}
		if g.odd != nil {
			host = g.odd(start)
		}
		host.Discord = g.f.discord
		return func(p *sim.Proc) {
			g.run(p)
			host.Program(p)
		}, nil
	})
}

// bot returns the bot behind the hosts; nil: none lives.
func (g *gatewayHosts) bot() *sim.Proc {
	all := slices.DeleteFunc(g.m.Processes(), func(p *sim.Proc) bool { return !isBehind(p) })
	if len(all) > 1 {
		g.f.t.Fatalf("%d bots of one cluster live\n%s", len(all), g.f.log)
	}
	if len(all) == 0 {
		return nil
	}
	return all[0]
}

// kill kills the host alone.
func (g *gatewayHosts) kill() {
	for _, p := range g.m.Bots() {
		p.Signal(syscall.SIGKILL)
	}
}

// run goes on with the bot of the record, or starts one.
func (g *gatewayHosts) run(host *sim.Proc) {
	if b := g.bot(); b != nil {
		g.taken++
		return
	}
	g.bots++
	env, mark := plan.BotEnvironment(host.Spec.Env, g.bots)
	child := host.ForkAs(env, mark, func(b *sim.Proc) {
		b.OnSignal = func(syscall.Signal) {
			if !g.deaf {
				b.Exit(0, "")
			}
		}
	})
	m := child.Mark()
	m.Env = mark
	record, err := json.Marshal(map[string]any{"mark": m, "address": "127.0.0.1:1"})
	if err != nil {
		g.f.t.Fatal(err)
	}
	g.m.Damage(cluster.BotRecord(0), record)
	if g.wipe {
		child.Wipe()
	}
}

// A host that dies alone leaves its bot running, and the next one goes on with it. An ordered end
// leaves nothing, whenever it comes: while a host serves, while the next start waits, while it is
// unknown whether the bot lives, or whatever our own code panics on.
func TestBotOutlivesItsHost(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m, g := f.hosts(nil)
		bot := g.bot().PID()
		kills := 2 + f.loop.Rand.IntN(2)
		for i := range kills {
			f.pass(time.Duration(f.loop.Rand.IntN(90)) * time.Second)
			g.kill()
			f.must("READY again", time.Minute, f.sawN("cluster.ready", i+2))
			want(f, "bot", g.bot().PID(), bot)
		}
		want(f, "taken", g.taken, kills)
		want(f, "identifies", f.identifies(), 1)
		f.pass(time.Duration(f.loop.Rand.IntN(90)) * time.Second)
		blind := f.loop.Rand.IntN(3) == 0
		if f.loop.Rand.IntN(2) == 0 {
			g.kill()
			f.pass(time.Duration(f.loop.Rand.IntN(1500)) * time.Millisecond)
		}
		lost, on := 1+f.loop.Rand.IntN(3), []string{"cluster.found", "world.Timeout", "messages.StopRun", "cluster.botEnded", ""}[f.loop.Rand.IntN(5)]
		m.Panic = func(actor string, msg any) bool {
			if actor != "cluster/0" || typeOf(msg) != on {
				return false
			}
			lost--
			return lost >= 0
		}
		if blind {
			m.FindErr = f.findErr()
		}
		done := f.stops(m)
		if blind {
			f.pass(time.Duration(f.loop.Rand.IntN(60)) * time.Second)
			want(f, "the stop is reported", done(), false)
			m.FindErr = nil
		}
		f.must("the stop is done", 50*time.Second, done)
		want(f, "processes", len(m.Processes()), 0)
		f.pass(time.Minute)
		want(f, "reported", f.saw("cluster.stopped"), 1)
		want(f, "processes", len(m.Processes()), 0)
	})
}

// A cluster whose hosts die before they serve is given up like any other, and its bot is ended
// before that is reported. A restart by an operator starts another bot.
func TestBotOfACrashLoop(t *testing.T) {
	seeds(t, func(f *fleet) {
		dies := true
		m, g := f.hosts(func(start int) (s fakecluster.SDK) {
			if start > 1 && dies {
				s.ExitAfter, s.ExitCode = time.Duration(1+f.loop.Rand.IntN(500))*time.Millisecond, f.loop.Rand.IntN(2)
				s.Silent = true
			}
			return s
		})
		m.SweepTakes = time.Duration(f.loop.Rand.IntN(2)) * sweepTakes
		g.kill()
		f.must("given up", time.Minute, func() bool {
			return f.saw("cluster.gave_up") == 1
		})
		want(f, "processes", len(m.Processes()), 0)
		want(f, "bots", g.bots, 1)
		want(f, "causes", len(last[messages.ClusterGaveUp](f).Causes), 4)
		dies = false
		f.restart(m, 0)
		f.must("READY", time.Minute, f.stateIs(m, 0, messages.ClusterServing))
		want(f, "bots", g.bots, 2)
	})
}

// The record of the bot cannot be read while a host is dead and the cluster is stopped: that is
// reported, and the bot is ended once the record can be read.
func TestBotOfAnUnreadableRecord(t *testing.T) {
	seedsOf(t, 4, func(f *fleet) {
		m, g := f.hosts(nil)
		m.ReadErr = func(name string) error {
			if name == cluster.BotRecord(0) {
				return syscall.EIO
			}
			return nil
		}
		g.kill()
		done := f.stops(m)
		f.must("it is reported", time.Minute, f.sawN("cluster.unknown", 1))
		want(f, "the stop is reported", done(), false)
		want(f, "the bot lives", g.bot() != nil, true)
		m.ReadErr = nil
		f.must("the stop is done", 2*time.Minute, done)
		want(f, "processes", len(m.Processes()), 0)
	})
}

// CONTROL and a host die, every record is lost, and the cluster is served no more: its bot is found
// by its environment, and ended.
func TestBotOfNoCluster(t *testing.T) {
	seedsOf(t, 4, func(f *fleet) {
		m, g := f.hosts(nil)
		f.crash(m)
		g.kill()
		f.pass(time.Second)
		m.Format()
		f.boot(m, behindHosts)
		f.must("the link", time.Minute, f.sawN("master.linked", 2))
		f.pass(10 * time.Second)
		want(f, "the bot is left", g.bot() != nil, g.wipe) // then nothing shows whose it is
		if g.wipe {
			g.bot().Signal(syscall.SIGKILL)
			f.pass(time.Second)
		}
	})
}

// CONTROL and a host die, and the bot lives. The next CONTROL starts a host that goes on with the
// bot; where it runs another command or another kind of bot, or serves the cluster no more, the bot
// is ended first.
func TestBotOutlivesControlAndHost(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*actors.Options)
		stays  bool
	}{
		"the same":        {behindHosts, true},
		"another command": {func(o *actors.Options) { behindHosts(o); o.Cluster.Command = []string{"other"} }, false},
		"another kind":    {func(*actors.Options) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			seedsOf(t, 4, func(f *fleet) {
				m, g := f.hosts(nil)
				bot := g.bot().PID()
				f.crash(m)
				g.kill()
				f.pass(time.Duration(f.loop.Rand.IntN(20)) * time.Second)
				want(f, "processes", f.pids(m), fmt.Sprint(bot))
				if f.loop.Rand.IntN(2) == 0 {
					m.FindErr = f.findErr()
				}
				if !tc.stays {
					m.Program = f.good(nil)
				}
				m.Started = func(p *sim.Proc) {
					f.started(m, p)
					if !tc.stays && g.bot() != nil {
						f.t.Errorf("a process starts while the bot lives\n%s", f.log)
					}
				}
				f.boot(m, tc.change)
				f.pass(time.Duration(f.loop.Rand.IntN(20)) * time.Second)
				if m.FindErr != nil {
					want(f, "processes", f.pids(m), fmt.Sprint(bot))
				}
				m.FindErr = nil
				f.must("READY again", 2*time.Minute, f.sawN("cluster.ready", 2))
				if b := g.bot(); tc.stays {
					want(f, "bot", b.PID(), bot)
				} else {
					want(f, "bot", b, nil)
				}
			})
		})
	}
}
