package scenarios

import (
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// typeOf returns the type of a message; a timer of CONTROL's link is named by its event.
func typeOf(msg any) string {
	v := reflect.ValueOf(msg)
	if v.Type().String() == "actors.linkTimer" {
		v = v.FieldByName("event").Elem()
	}
	return v.Type().String()
}

// A shard whose session Discord ends again and again uses up the budget of the whole bot: its
// identifies are held back, its process and the other shards go on, and it is READY by itself once
// Discord lets it be.
func TestIdentifyStorm(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(20, 10, ours(initialise(20, 10)), nil)
		f.serve(m, "c", 0, 19)
		before := pids(m)
		for range 25 {
			f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: 3})
			f.pass(15 * time.Second)
		}
		want(f, "storms", f.saw("cluster.identify_storm"), 1)
		want(f, "state", f.state(m, 0), messages.ClusterServing)
		if burnt := f.identifies() - 20; burnt > plan.InvalidatedMost+2 {
			f.t.Errorf("%d identifies were burnt, want %d, and one after a minute, and one after two more", burnt, plan.InvalidatedMost)
		}
		f.must("READY again", 9*time.Minute, f.owned(20))
		want(f, "deaths", f.saw("cluster.died"), 0)
		for pid := range pids(m) {
			want(f, "the same process", before[pid], true)
		}
	})
}

// An operator who has looked need not wait.
func TestIdentifyStormIsForgiven(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(20, 10, ours(initialise(20, 10)), nil)
		f.serve(m, "c", 0, 19)
		f.must("a storm", 10*time.Minute, func() bool {
			f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: 3})
			f.pass(15 * time.Second)
			return f.saw("cluster.identify_storm") == 1
		})
		f.restart(m, 0)
		f.must("READY again", 20*time.Second, f.owned(20))
	})
}

// Discord invalidates every session, and does so again, and again: that is not the bots' fault. All
// are READY again at once, for one identify a shard each time.
func TestInvalidationWaves(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 8})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("operational", time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		before := pids(m)
		for wave := range 4 {
			kind := rules.Fault{Kind: rules.FaultInvalidate, Shard: rules.All}
			if f.loop.Rand.IntN(2) == 0 {
				kind = rules.Fault{Kind: rules.FaultClose, Shard: rules.All, Code: rules.CloseInvalidSeq}
			}
			f.discord.Step(kind)
			f.pass(time.Second)
			f.must("READY again", 30*time.Second, f.owned(16))
			want(f, "identifies", f.identifies(), 16*(wave+2))
			f.pass(time.Duration(f.loop.Rand.IntN(60)) * time.Second)
		}
		want(f, "storms", f.saw("cluster.identify_storm"), 0)
		for pid := range pids(m) {
			want(f, "the same process", before[pid], true)
		}
	})
}

// A bot that serves for a while and dies without its sessions, all day: it is slowed down, that is
// reported once, and the reserve of the day's budget is never touched.
func TestBurningBot(t *testing.T) {
	seedsOf(t, 2, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 20, MaxConcurrency: 10, IdentifyTotal: 200})
		f.withOwnMaster(1)
		m := f.add("m1", f.good(map[string]fakecluster.SDK{"0": {NoSessions: true}}), sesame)
		f.must("every shard READY", time.Minute, f.owned(20))
		f.reserve = 20
		for end := f.loop.Now() + 12*time.Hour; f.loop.Now() < end; {
			if f.pass(2 * time.Minute); f.state(m, 0) == messages.ClusterServing {
				f.processOf(m, "0").Exit(1, "burning")
			}
		}
		want(f, "storms", f.saw("cluster.identify_storm"), 1)
		want(f, "given up", f.saw("cluster.gave_up"), 0)
		want(f, "processes", len(m.Processes()), 2)
		if burnt := f.identifies() - 20; burnt < 40 || burnt > 130 {
			f.t.Errorf("%d identifies in half a day, want some, and no more than 10 shards a batch", burnt)
		}
	})
}

// Discord goes away for ten minutes: that is reported once, no process is killed for it, and
// everything comes back by itself.
func TestOutage(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		m := f.alone(40, 10, ours(initialise(40, 10)), nil)
		f.serve(m, "c", 0, 39)
		before := pids(m)
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOn, Shard: rules.All})
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: rules.All, Code: rules.CloseVanished})
		f.must("discord.outage", 30*time.Second, f.sawN("discord.outage", 1))
		f.pass(10 * time.Minute)
		want(f, "outages reported", f.saw("discord.outage"), 1)
		want(f, "stuck shards reported", f.saw("shard.stuck"), 0)
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOff, Shard: rules.All})
		f.must("every shard READY", 2*time.Minute, f.owned(40))
		f.pass(time.Minute)
		want(f, "outage and its end", f.saw("discord.outage"), 2)
		want(f, "deaths", f.saw("cluster.died"), 0)
		for pid := range pids(m) {
			want(f, "the same process", before[pid], true)
		}
	})
}

// One shard of a live cluster is down: it is reported, its bot is ordered to reconnect it, and
// where that does not help the cluster is restarted.
func TestStuckShard(t *testing.T) {
	for _, stubborn := range []bool{false, true} {
		seedsOf(t, 5, func(f *fleet) {
			m := f.alone(20, 10, ours(initialise(20, 10)), map[string]fakecluster.SDK{"1": {Deaf: true, Stubborn: stubborn}})
			f.serve(m, "c", 0, 19)
			f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 13, Code: 4000})
			f.pass(119 * time.Second)
			want(f, "stuck before two minutes", f.saw("shard.stuck"), 0)
			f.must("shard.stuck", 2*time.Second, f.sawN("shard.stuck", 1))
			f.must("every shard READY", 5*time.Minute, f.owned(20))
			f.pass(time.Minute)
			deaths := map[bool]int{false: 0, true: 1}[stubborn]
			want(f, "deaths", f.saw("cluster.died"), deaths)
			if stubborn {
				want(f, "cause", last[messages.ClusterDied](f).Cause, messages.CauseShardsLost)
			}
			want(f, "reported", f.saw("shard.stuck"), 1)
		})
	}
}

// A shard that waits for a permit which it never asked for is reported and makes the machine
// unready, be it at its start or after it was READY; its cluster is started again.
func TestShardWaitsForNothing(t *testing.T) {
	for _, cause := range []messages.IdentifyCause{messages.CauseStart, messages.CauseReidentify} {
		seedsOf(t, 5, func(f *fleet) {
			shy := f.cast(func(cluster string, start int) fakecluster.SDK {
				if cluster == "1" && start == 1 {
					return fakecluster.SDK{Shy: cause}
				}
				return fakecluster.SDK{}
			})
			m := f.aloneWith(rules.Config{ShardCount: 20, MaxConcurrency: 10}, ours(initialise(20, 10)), shy, withStatus)
			f.connect(m, "c", 0, 19)
			shards, stuck := "10 of 20", 10
			if cause == messages.CauseReidentify {
				f.must("operational", time.Minute, f.acked(m, "c", "operational"))
				f.discord.Step(rules.Fault{Kind: rules.FaultInvalidate, Shard: 13})
				shards, stuck = "19 of 20", 1
				f.pass(15 * time.Second)
				ready, why := f.look(m).Ready()
				want(f, "ready", ready, false)
				want(f, "why", why, "19 of 20 shards are READY")
			}
			f.must("shard.stuck", 130*time.Second, f.sawN("shard.stuck", stuck))
			ready, why := f.look(m).Ready()
			want(f, "ready", ready, false)
			if !strings.HasPrefix(why, shards+" shards are READY; shard 1") || !strings.HasSuffix(why, "it reports that it waits for a permit, but asked for none") {
				f.t.Errorf("why: %s", why)
			}
			want(f, "stuck", f.look(m).Clusters[1].ShardsStuck, stuck)
			f.must("every shard READY", 6*time.Minute, f.owned(20))
			f.pass(5 * time.Second)
			want(f, "died", f.saw("cluster.died"), 1)
			ready, _ = f.look(m).Ready()
			want(f, "ready again", ready, true)
		})
	}
}

// A start that Discord keeps waiting is reported, and nothing is restarted for it.
func TestStartWithoutGateway(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(20, 10, ours(initialise(20, 10)), map[string]fakecluster.SDK{"1": {Deaf: true, Stubborn: true}}, withStatus)
		f.discord.Step(rules.Fault{Kind: rules.FaultRefuseIdentify, Shard: 13, Code: 4000})
		f.connect(m, "c", 0, 19)
		f.must("shard.stuck", 3*time.Minute, f.sawN("shard.stuck", 1))
		f.pass(20 * time.Minute)
		want(f, "deaths", f.saw("cluster.died"), 0)
		want(f, "reported", f.saw("shard.stuck"), 1)
		ready, why := f.look(m).Ready()
		want(f, "ready", ready, false)
		want(f, "why", strings.Contains(why, "shard 13 is disconnected since "), true)
	})
}

// Discord is away when the fleet starts: that is an outage, no shard is stuck, and everything comes
// up by itself.
func TestStartInOutage(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		m := f.alone(20, 10, ours(initialise(20, 10)), nil, withStatus)
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOn, Shard: rules.All})
		f.connect(m, "c", 0, 19)
		f.must("discord.outage", time.Minute, f.sawN("discord.outage", 1))
		f.pass(10 * time.Minute)
		_, why := f.look(m).Ready()
		want(f, "why", why, "0 of 20 shards are READY: Discord has an outage")
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOff, Shard: rules.All})
		f.must("every shard READY", 2*time.Minute, f.owned(20))
		want(f, "stuck shards", f.saw("shard.stuck"), 0)
		want(f, "deaths", f.saw("cluster.died"), 0)
	})
}

// CONTROL is frozen for a minute: no process is killed for CONTROL's own suspension.
func TestFrozenControl(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 40, MaxConcurrency: 10})
		own := f.withOwnMaster(1)
		m := f.add("m1", f.good(nil), sesame)
		f.must("operational", time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		before := pids(m)
		f.pass(time.Duration(f.loop.Rand.IntN(10000)) * time.Millisecond)
		m.Freeze(time.Minute)
		f.pass(2 * time.Minute)
		want(f, "control.stalled", f.saw("control.stalled"), 1) // however many actors notice
		want(f, "deaths", f.saw("cluster.died"), 0)
		want(f, "processes", len(pids(m)), len(before))
		want(f, "identifies", f.identifies(), 40)
		f.processOf(m, "2").Signal(syscall.SIGSTOP)
		f.must("a hang is seen as before", 12*time.Second, f.sawN("cluster.died", 1))
	})
}

// CONTROL's own code panics in any actor, at any message: no bot dies of it, and what is served
// goes on.
func TestOurOwnPanics(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.panics = true
		m := f.alone(40, 10, ours(initialise(40, 10)), nil)
		f.serve(m, "c", 0, 39)
		before := pids(m)
		one := f.loop.Rand.IntN(5)
		actors := []string{"masterlink", "gate", "sessions", "clusters", "cluster/1"}
		panics := 0
		m.Panic = func(actor string, msg any) bool {
			hit := actor == actors[one] && !strings.HasPrefix(typeOf(msg), "*actor.") && f.loop.Rand.IntN(10) == 0
			if hit {
				panics++
			}
			return hit
		}
		for range 60 {
			// keeps all of them talking
			f.discord.Step(rules.Fault{Kind: rules.FaultReconnect, Shard: f.loop.Rand.IntN(40)})
			f.pass(3 * time.Second)
		}
		if panics == 0 && actors[one] != "gate" { // which has nothing to do while all bots resume
			f.t.Errorf("%s did not panic", actors[one])
		}
		m.Panic = nil
		f.pass(time.Minute)
		want(f, "owned", f.owned(40)(), true)
		want(f, "identifies", f.identifies(), 40)
		for pid := range pids(m) {
			want(f, "the same process", before[pid], true)
		}
		want(f, "processes", len(pids(m)), 4)
	})
}

// CONTROL's own code panics on every message of one cluster: its process is left alone, serving,
// and that is reported. An operator's restart takes it back and replaces it.
func TestBrokenActor(t *testing.T) {
	seedsOf(t, 5, func(f *fleet) {
		f.panics = true
		m := f.alone(20, 10, ours(initialise(20, 10)), nil)
		f.serve(m, "c", 0, 19)
		m.Panic = func(actor string, msg any) bool {
			return actor == "cluster/1" && !strings.HasPrefix(typeOf(msg), "*actor.")
		}
		f.must("control.broken", 3*time.Minute, f.sawN("control.broken", 1))
		m.Panic = nil
		f.pass(time.Minute)
		want(f, "owned", f.owned(20)(), true)
		want(f, "state", f.state(m, 1), messages.ClusterDetached)
		f.restart(m, 1)
		f.must("serving again", time.Minute, f.stateIs(m, 1, messages.ClusterServing))
		f.pass(10 * time.Second)
		want(f, "processes", len(m.Processes()), 2)
		want(f, "owned", f.owned(20)(), true)
	})
}
