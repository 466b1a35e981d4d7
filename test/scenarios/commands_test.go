package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/master"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// ordering is an order to MASTER, and what was answered.
type ordering struct {
	progress []string
	done     []master.Done
}

// order gives an order to MASTER.
func (m *ownMaster) order(id string, want master.Want) *ordering {
	o := &ordering{}
	asker, err := m.f.system.Root.SpawnNamed(m.operators.Spawn("operator", func() actor.Actor {
		return actorFunc(func(ctx actor.Context) {
			switch msg := ctx.Message().(type) {
			case master.Progress:
				o.progress = append(o.progress, msg.Text)
			case master.Done:
				o.done = append(o.done, msg)
			}
		})
	}), fmt.Sprintf("%s.operator-%d", m.root.Id, m.orders))
	if err != nil {
		m.f.t.Fatal(err)
	}
	m.orders++
	m.f.system.Root.RequestWithCustomSender(m.root, master.Order{ID: id, Want: want}, asker)
	return o
}

// said gives a condition: the last word is there.
func (o *ordering) said() bool { return len(o.done) > 0 }

// A machine is drained: everything on it moves, with its sessions, and nothing is identified. Undrained it is a spare; what is asked twice is done once.
func TestDrainMachine(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 3)
		m := f.one()
		o := own.order("d1", master.DrainMachine{Source: m.Name})
		f.must("drained", 20*time.Second, o.said)
		want(f, "err", o.done[0].Err, "")
		want(f, "processes", len(m.Processes()), 0)
		want(f, "owned", f.owned(60)(), true)
		again := own.order("d1", master.DrainMachine{Source: m.Name})
		f.must("answered again", time.Second, again.said)
		undrain := own.order("u1", master.UndrainMachine{Source: m.Name})
		f.must("undrained", time.Second, undrain.said)
		f.pass(5 * time.Second)
		want(f, "processes of a spare", len(m.Processes()), 0)
		other := f.one()
		f.powerOff(other)
		f.must("the undrained takes over", 35*time.Second, func() bool { return f.owned(60)() && len(m.Processes()) > 0 })
		want(f, "identifies", f.identifies(), 60)
	})
}

// The whole fleet is restarted, one machine at a time, and not one shard identifies.
func TestRollingRestartOfTheFleet(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.succeeds = true
		own := f.fleetOf(rules.Config{ShardCount: 36, MaxConcurrency: 4}, 3)
		before := map[string][]string{}
		for _, m := range f.inOrder() {
			before[m.Name] = strings.Fields(f.pids(m))
		}
		o := own.order("r1", master.RollingRestart{})
		second := own.order("r2", master.RollingRestart{})
		f.must("the second is refused", time.Second, second.said)
		want(f, "why", second.done[0].Err, "a rolling restart is under way")
		f.must("done", 5*time.Minute, o.said)
		want(f, "err", o.done[0].Err, "")
		f.must("owned", 10*time.Second, f.owned(36))
		for _, m := range f.inOrder() {
			if slices.ContainsFunc(strings.Fields(f.pids(m)), func(pid string) bool { return slices.Contains(before[m.Name], pid) }) {
				f.t.Errorf("%s has an old process: %s, before %v", m.Name, f.pids(m), before[m.Name])
			}
		}
		want(f, "identifies", f.identifies(), 36)
		want(f, "progress", len(o.progress), 3+9)
	})
}

// Orders that cannot be carried out say why; one that concerns a cluster finds it, wherever it is.
func TestOrdersAreAnswered(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
		own := f.withOwnMaster(2)
		for i := range 2 {
			f.add(fmt.Sprintf("m%d", i+1), f.cast(func(cluster string, start int) fakecluster.SDK {
				if cluster == "3" && start > 1 {
					return fakecluster.SDK{CannotStart: fmt.Errorf("no such file")}
				}
				return fakecluster.SDK{}
			}), sesame, mortal)
		}
		f.must("the fleet is whole", 2*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		for _, c := range []struct {
			want master.Want
			err  string
		}{
			{master.RestartCluster{Cluster: 5}, ""},
			{master.RestartCluster{Cluster: 3}, "gave up after 4 attempts"},
			{master.RestartCluster{Cluster: 6}, "cluster 6: no linked machine has it"},
			{master.DrainMachine{Source: "m9"}, `machine "m9" is not known`},
			{master.ResumeFleet{}, "the fleet is not halted"},
			{master.ForgetMachine{Source: "m1"}, "machine m1 is linked: stop it first"},
			{master.Status{}, ""},
		} {
			o := own.order("", c.want)
			f.must("an answer", 2*time.Minute, o.said)
			if got := o.done[0]; c.err == "" && got.Err != "" || !strings.Contains(got.Err, c.err) {
				f.t.Errorf("%+v: %q, want %q", c.want, got.Err, c.err)
			}
			if _, asks := c.want.(master.Status); asks && len(o.done[0].Status.Machines) != 2 {
				f.t.Errorf("status: %+v", o.done[0].Status)
			}
		}
		f.powerOff(f.machines["m2"])
		f.pass(time.Second)
		o := own.order("f", master.ForgetMachine{Source: "m2"})
		f.must("forgotten", time.Second, o.said)
		f.must("its shards are served at once", 10*time.Second, func() bool { return len(f.machines["m1"].Processes()) == 5 })
		last := own.order("l", master.DrainMachine{Source: "m1"})
		f.must("refused", time.Second, last.said)
		want(f, "why", last.done[0].Err, "machine m1: there is no other machine to take its shards")
	})
}

// The fleet is halted for a token; an operator has mended it and resumes. A machine that was away meanwhile remembers the halt, and does not bring it back, nor does a MASTER
// that starts anew.
func TestResumeFleet(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 36, MaxConcurrency: 12}, 3)
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 3, Code: 4014})
		f.must("everything is stopped", 20*time.Second, func() bool { return f.everywhere() == 0 && own.saw("fleet.halted") == 1 })
		away := f.machines["m2"]
		f.crash(away)
		away.gone = true
		if f.loop.Rand.IntN(2) == 0 {
			own.Crash()
			own.start()
			f.must("halted still", 2*time.Minute, func() bool { return own.saw("fleet.halted") == 2 })
		}
		f.pass(time.Minute)
		want(f, "processes while halted", f.everywhere(), 0)
		o := own.order("r", master.ResumeFleet{})
		f.must("resumed", time.Second, o.said)
		want(f, "err", o.done[0].Err, "")
		f.must("every shard READY", 3*time.Minute, f.owned(36))
		if f.loop.Rand.IntN(2) == 0 {
			own.Crash()
			own.start()
		}
		f.boot(away, sesame, mortal)
		f.pass(2 * time.Minute)
		want(f, "owned", f.owned(36)(), true)
		for _, m := range f.inOrder() {
			want(f, m.Name+" is linked", f.net.Links(m.Name, "master"), 1)
		}
		want(f, "fleet.resumed", f.saw("fleet.resumed") >= 3, true)
	})
}
