package scenarios

import (
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/status"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// withStatus adds the status actor to a machine.
func withStatus(o *actors.Options) {
	o.Behaviours = append(o.Behaviours, status.New(status.Options{Source: o.Master.Source, Started: time.Now()}))
}

func (f *fleet) ask(m *machine, question any) {
	f.system.Root.Send(actor.NewPID(m.root.Address, m.root.Id+"/"+status.Name), question)
}

// look returns the machine's view from its status actor.
func (f *fleet) look(m *machine) (v messages.View) {
	f.t.Helper()
	answers := 0
	f.ask(m, messages.GetView{Answer: func(a messages.View) { v = a; answers++ }})
	f.must("a view", time.Second, func() bool { return answers > 0 })
	f.pass(time.Second)
	want(f, "answers", answers, 1)
	return v
}

// orders sends an order to the status actor.
func (f *fleet) orders(m *machine, d messages.Directive) (v messages.Verdict) {
	f.t.Helper()
	answered := false
	f.ask(m, messages.Order{Directive: d, By: "a story", Answer: func(a messages.Verdict) { v, answered = a, true }})
	f.must("a verdict", time.Second, func() bool { return answered })
	return v
}

// An actor that starts late, as on a busy machine, misses no event. One that hangs in its start
// keeps nothing else from starting.
func TestLateSubscriber(t *testing.T) {
	for _, late := range []time.Duration{time.Second, time.Minute} {
		t.Run(late.String(), func(t *testing.T) {
			seeds(t, func(f *fleet) {
				m := f.alone(4, 4, ours(initialise(4, 4)), nil, withStatus, func(o *actors.Options) {
					f.machines[o.Master.Source].Slow = map[string]time.Duration{status.Name: late}
				})
				f.connect(m, "c", 0, 3)
				f.must("operational", 10*time.Second, f.acked(m, "c", "operational"))
				f.pass(late)
				if late == time.Second {
					want(f, "link", f.look(m).Machine.Master.Up, true)
				}
			})
		})
	}
}

// The view is accurate while clusters start, serve, die, are drained and go.
func TestStatus(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(32, 8, ours(initialise(32, 8)), nil, withStatus)
		f.connect(m, "c", 0, 31)
		f.pass(3 * time.Second)
		starting := f.look(m)
		if starting.Machine.Clusters.Starting == 0 {
			f.t.Fatalf("it all serves after %v: %+v", f.loop.Now(), starting.Machine)
		}
		f.must("operational", time.Minute, f.acked(m, "c", "operational"))
		v := f.look(m)
		want(f, "shard_count", v.Machine.ShardCount, 32)
		want(f, "shards", v.Machine.Shards, 32)
		want(f, "shards_ready", v.Machine.ShardsReady, 32)
		want(f, "clusters", v.Machine.Clusters, messages.ClusterCount{Serving: 4})
		want(f, "link", v.Machine.Master.Up, true)
		want(f, "identifies", v.Counters.Identifies[messages.CauseStart], 32)
		for _, c := range v.Clusters {
			want(f, "states of cluster "+c.Cluster.String(), c.States, "RRRRRRRR")
			want(f, "sessions of cluster "+c.Cluster.String(), c.Sessions, 8)
		}

		f.processOf(m, "1").Signal(syscall.SIGKILL)
		f.must("it died", time.Minute, f.sawN("cluster.died", 1))
		f.must("it serves", time.Minute, f.stateIs(m, 1, messages.ClusterServing))
		v = f.look(m)
		want(f, "restarts", v.Clusters[1].Restarts, 1)
		want(f, "cause", v.Clusters[1].Death.Cause, messages.CauseExited)
		want(f, "death", v.Clusters[1].Death.Err, "signal 9 (killed) ended the process; its sender is unknown")
		want(f, "failures", v.Counters.Failures[messages.CauseExited], 1)
		want(f, "states", v.Clusters[1].States, "RRRRRRRR")
		want(f, "pid", v.Clusters[1].PID, f.processOf(m, "1").PID())

		want(f, "drain", f.orders(m, messages.DrainCluster{Cluster: 2}).Refusal, "")
		f.must("it is stopped", time.Minute, f.stateIs(m, 2, messages.ClusterStopped))
		v = f.look(m)
		want(f, "a stopped cluster", v.Clusters[2].States, "........")
		ready, _ := v.Ready()
		want(f, "ready", ready, true)
		want(f, "drain it again", f.orders(m, messages.DrainCluster{Cluster: 2}).Refusal, messages.RefusedNow)
		want(f, "restart no cluster", f.orders(m, messages.RestartCluster{Cluster: 7}).Refusal, messages.RefusedUnknown)
		want(f, "restart it", f.orders(m, messages.RestartCluster{Cluster: 2}).Refusal, "")
		f.must("it serves again", time.Minute, f.stateIs(m, 2, messages.ClusterServing))
		want(f, "orders reported", f.saw("order.given"), 2)

		f.master.Send(m.Name, messages.Offload{ID: "o", Range: messages.ShardRange{First: 16, Last: 31}})
		f.must("gone", time.Minute, f.stateIs(m, 3, messages.ClusterGone))
		f.must("both", time.Minute, f.stateIs(m, 2, messages.ClusterGone))
		want(f, "shards left", f.look(m).Machine.Shards, 16)
	})
}

// The status actor of the next run of CONTROL knows the bots that it took back, and its ids
// continue those of the previous run.
func TestStatusAfterAdoption(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(16, 8, ours(initialise(16, 8)), nil, withStatus)
		f.serve(m, "c", 0, 15)
		before := f.look(m)
		f.crash(m)
		f.pass(2 * time.Second)
		f.boot(m, withStatus)
		f.must("adopted", time.Minute, f.sawN("cluster.adopted", 2))
		f.must("linked", time.Minute, f.sawN("master.linked", 2))
		v := f.look(m)
		want(f, "ready", v.Machine.ShardsReady, 16)
		want(f, "states", v.Clusters[0].States, "RRRRRRRR")
		if v.LastEvent <= before.LastEvent {
			f.t.Fatalf("the next run's last event %d is not after %d", v.LastEvent, before.LastEvent)
		}
		var batch messages.EventBatch
		f.ask(m, messages.Follow{After: before.LastEvent, Deliver: func(t messages.EventBatch) bool { batch = t; return false }})
		f.pass(time.Second)
		want(f, "gap", batch.Gap, true)
		want(f, "last", batch.Last, v.LastEvent)
	})
}

// A follower gets the kept events and all new ones, in order and once each; a slow one is left
// alone.
func TestStatusFollowers(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.alone(16, 8, ours(initialise(16, 8)), map[string]fakecluster.SDK{}, withStatus)
		from := f.look(m).LastEvent
		f.serve(m, "c", 0, 15)
		var heard []uint64
		slow := 0
		follow := func(deliver func(messages.EventBatch) bool) {
			f.ask(m, messages.Follow{After: from, Least: messages.LevelDebug, Deliver: deliver})
		}
		follow(func(t messages.EventBatch) bool {
			want(f, "gap", t.Gap, false)
			for _, e := range t.Events {
				heard = append(heard, e.ID)
			}
			return true
		})
		follow(func(messages.EventBatch) bool { slow++; return slow < 2 })
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.must("it died", time.Minute, f.sawN("cluster.died", 1))
		f.must("it serves", time.Minute, f.stateIs(m, 0, messages.ClusterServing))
		f.pass(time.Second)
		want(f, "calls of the slow", slow, 2)
		want(f, "in order", slices.IsSorted(heard), true)
		want(f, "all", len(heard), int(f.look(m).LastEvent-from))
		want(f, "the first", heard[0], from+1)
	})
}

// MASTER's view: which machine serves what, before the first heartbeat and after it; a machine that
// is away keeps its row, and a spare has no shards.
func TestFleetView(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 16})
		own := f.withOwnMaster(2)
		look := own.view
		want(f, "state", look().State == "serving", false)
		a, b := f.add("m1", f.good(nil), sesame), f.add("m2", f.good(nil), sesame)
		f.must("operational", 2*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		for range 2 {
			v := look()
			want(f, "state", v.State, "serving")
			want(f, "machines", len(v.Machines), 2)
			want(f, "ready", v.ShardsReady, 16)
			for _, m := range v.Machines {
				if m.Spare != (len(m.Granted) == 0) || !m.Linked {
					f.t.Fatalf("%+v", m)
				}
			}
			f.pass(10 * time.Second) // a heartbeat of each
		}
		budget := *look().Budget
		want(f, "total", budget.Total, 1000)
		want(f, "remaining", budget.Remaining, 1000-16)
		want(f, "reserve", budget.Reserve, 16)
		want(f, "reset in a day", budget.ResetAt.After(time.Now()) && budget.ResetAt.Before(time.Now().Add(24*time.Hour)), true)
		owner := look().OwnerOf(3)
		if owner == nil {
			f.t.Fatal("no machine has shard 3")
		}
		away := map[string]*machine{"m1": a, "m2": b}[owner.Source]
		f.powerOff(away)
		f.pass(25 * time.Second) // 20 s without a heartbeat
		v := look()
		for _, m := range v.Machines {
			want(f, m.Source+" is linked", m.Linked, m.Source != owner.Source)
			if !m.Linked {
				want(f, "state", m.State, messages.MachineIsAway)
				want(f, "its last report", m.ShardsReady > 0 && len(m.Granted) > 0, true)
			}
		}
		f.must("machine.replaced", time.Minute, func() bool { return own.saw("machine.replaced") == 1 })
		f.must("every shard READY", time.Minute, f.owned(16))
		f.pass(10 * time.Second)
		for _, m := range look().Machines {
			if m.Source != owner.Source {
				want(f, "state", m.State, messages.MachineIsLinked)
				want(f, "ready", m.ShardsReady, 16)
				continue
			}
			want(f, "state", m.State, messages.MachineIsLost)
			want(f, "away since", m.AwaySince != nil && time.Since(*m.AwaySince) > 30*time.Second, true)
			want(f, "what is known of it", m.ShardsReady+len(m.Ranges)+len(m.Granted)+m.Clusters.Serving, 0)
		}
	})
}

// The status actor has how many events the shards get, and the cause of each death of a cluster
// that was given up.
func TestStatusFigures(t *testing.T) {
	seeds(t, func(f *fleet) {
		m := f.aloneWith(rules.Config{ShardCount: 20}, ours(initialise(20, 1)), f.cast(func(cluster string, _ int) fakecluster.SDK {
			if cluster == "1" {
				return fakecluster.SDK{ExitAfter: 1, ExitCode: 3}
			}
			return fakecluster.SDK{EventRate: 3}
		}), withStatus)
		f.connect(m, "c", 0, 19)
		f.must("giving up", time.Minute, f.sawN("cluster.gave_up", 1))
		f.must("the other is READY", 3*time.Minute, f.owned(10))
		f.pass(11 * time.Second)
		v := f.look(m)
		want(f, "events a second of each", slices.Equal(v.Clusters[0].Events, slices.Repeat([]float64{3}, 10)), true)
		want(f, "of no cluster", slices.Equal(v.Clusters[1].Events, slices.Repeat([]float64{-1}, 10)), true)
		up := last[messages.ClusterGaveUp](f)
		want(f, "causes", slices.Equal(v.Clusters[1].GaveUp.Causes, up.Causes) && len(up.Causes) == 4, true)
		want(f, "of one that serves", v.Clusters[0].GaveUp == nil, true)
		f.processOf(m, "0").Signal(syscall.SIGKILL)
		f.must("it died", time.Minute, f.sawN("cluster.died", 4))
		want(f, "events a second of the dead", slices.Equal(f.look(m).Clusters[0].Events, v.Clusters[1].Events), true)
	})
}

// Before Discord is reached a machine that is linked to its MASTER has nothing to serve, and is not
// ready; a spare is.
func TestReadyNeedsDiscord(t *testing.T) {
	seedsOf(t, 10, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 16, MaxConcurrency: 16})
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOn, Shard: rules.All})
		f.withOwnMaster(2, spares(1))
		a, b := f.add("m1", f.good(nil), sesame, withStatus), f.add("m2", f.good(nil), sesame, withStatus)
		f.must("both are linked", time.Minute, f.sawN("master.linked", 2))
		for range 3 {
			ready, why := f.look(a).Ready()
			want(f, "ready", ready, false)
			want(f, "why", why, "the number of shards is unknown: MASTER has not reached Discord")
			f.pass(time.Minute)
		}
		f.discord.Step(rules.Fault{Kind: rules.FaultOutageOff, Shard: rules.All})
		f.must("every shard READY", 3*time.Minute, f.owned(16))
		f.pass(time.Second)
		shards := 0
		for _, m := range []*machine{a, b} {
			v := f.look(m)
			ready, why := v.Ready()
			want(f, "ready", ready, true)
			want(f, "why", why, "")
			shards += v.Machine.Shards
			want(f, "all or none", v.Machine.Shards%16, 0)
		}
		want(f, "shards", shards, 16)
	})
}
