package scenarios

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/transport/discord/rules"
)

// ordering is an order to MASTER, and its outcome.
type ordering struct {
	*ownMaster
	id      string
	verdict *messages.Verdict
}

// order sends an order to MASTER; for "" with an id that no other has.
func (m *ownMaster) order(id string, d messages.FleetDirective) *ordering {
	m.orders++
	m.f.ordered()
	if id == "" {
		id = fmt.Sprint("order-", m.orders)
	}
	o := &ordering{ownMaster: m, id: id}
	m.f.system.Root.Send(m.root, messages.FleetOrder{ID: id, Directive: d, By: "operator", Answer: func(v messages.Verdict) { o.verdict = &v }})
	return o
}

// moves returns what was reported of it.
func (o *ordering) moves() (all []messages.FleetOrderMoved) {
	for _, e := range o.events {
		if m, is := e.(messages.FleetOrderMoved); is && m.OrderID == o.id {
			all = append(all, m)
		}
	}
	return all
}

// over returns a condition: it was refused, or its end was reported.
func (o *ordering) over() bool {
	if o.verdict == nil {
		return false
	}
	all := o.moves()
	return o.verdict.Refusal != "" || len(all) > 0 && slices.Contains([]messages.FleetOrderState{messages.FleetOrderDone, messages.FleetOrderFailed}, all[len(all)-1].State)
}

// err returns why it was refused, or failed.
func (o *ordering) err() string {
	if all := o.moves(); o.verdict.Refusal == "" {
		return all[len(all)-1].Err
	}
	return o.verdict.Reason
}

// A machine is drained: everything on it moves, with its sessions, and nothing is identified.
// Undrained it is a spare; a repeated order is carried out once.
func TestDrainMachine(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 3)
		m := f.one()
		o := own.order("d1", messages.DrainMachine{Source: m.Name})
		f.must("drained", 20*time.Second, o.over)
		want(f, "err", o.err(), "")
		want(f, "processes", len(m.Processes()), 0)
		want(f, "owned", f.owned(60)(), true)
		before := len(o.moves())
		again := own.order("d1", messages.DrainMachine{Source: m.Name})
		f.must("answered again", time.Second, func() bool { return again.verdict != nil })
		want(f, "the repeated order", *again.verdict, messages.Verdict{Done: true})
		want(f, "reports of the order carried out once", len(again.moves()), before)
		other := own.order("d1", messages.UndrainMachine{Source: m.Name})
		f.must("refused", time.Second, func() bool { return other.verdict != nil })
		want(f, "another order of the same id", other.verdict.Reason, `the id "d1" is of another order: drain machine `+m.Name)
		undrain := own.order("u1", messages.UndrainMachine{Source: m.Name})
		f.must("undrained", time.Second, undrain.over)
		f.pass(5 * time.Second)
		want(f, "processes of a spare", len(m.Processes()), 0)
		f.powerOff(f.one())
		f.must("the undrained takes over", 35*time.Second, func() bool { return f.owned(60)() && len(m.Processes()) > 0 })
		want(f, "identifies", f.identifies(), 60)
	})
}

// A machine is drained in the last moment before a restarted MASTER begins to serve: what it lets
// go of is not confirmed as its own.
func TestDrainWhileGathering(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 3)
		f.powerOff(f.machines["m3"])
		own.Crash()
		own.start()
		f.must("Discord is asked", time.Minute, func() bool { return own.saw("fleet.asked") == 2 })
		f.pass(own.options.Wait - time.Duration(f.loop.Rand.IntN(150))*time.Millisecond)
		own.order("d", messages.DrainMachine{Source: "m2"})
		f.must("everything is on the one that is left", 2*time.Minute, func() bool { return f.owned(60)() && len(f.machines["m1"].Processes()) == 15 })
		want(f, "processes of the drained", len(f.machines["m2"].Processes()), 0)
	})
}

// A machine dies while it is drained. What it had is assigned to others, and the order ends.
func TestDrainOfTheDying(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 3)
		m := f.one()
		o := own.order("", messages.DrainMachine{Source: m.Name})
		f.pass(50 * time.Millisecond)
		f.powerOff(m)
		f.must("everything is elsewhere", 2*time.Minute, f.owned(60))
		f.must("the order is over", time.Minute, o.over)
	})
}

// A drained machine stays one when MASTER restarts, and when it does itself: it is a spare that
// takes nothing over, until it is undrained.
func TestDrainedIsRemembered(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 60, MaxConcurrency: 4}, 4, spares(1))
		spare := f.machines["m4"]
		drain := own.order("d", messages.DrainMachine{Source: "m4"})
		f.must("drained", time.Second, drain.over)
		f.pass(time.Second)
		own.Crash()
		if f.loop.Rand.IntN(2) == 0 {
			f.crash(spare)
			f.boot(spare, sesame, mortal)
		}
		own.start()
		f.must("all are back", time.Minute, func() bool { return own.saw("machine.joined") == 8 })
		f.pass(10 * time.Second)
		f.powerOff(f.one())
		f.must("READY on the two others", 36*time.Second, func() bool { return own.saw("machine.replaced") == 1 && f.owned(60)() })
		want(f, "processes of the drained", len(spare.Processes()), 0)
		undrain := own.order("u", messages.UndrainMachine{Source: "m4"})
		f.must("undrained", time.Second, undrain.over)
		f.powerOff(f.one())
		f.must("READY on the undrained", 36*time.Second, func() bool { return own.saw("machine.replaced") == 2 && f.owned(60)() })
		want(f, "the undrained serves", len(spare.Processes()) > 0, true)
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
		o := own.order("r1", messages.RollingRestart{})
		second := own.order("r2", messages.RollingRestart{})
		f.must("the second is refused", time.Second, second.over)
		want(f, "why", second.err(), "a rolling restart is under way")
		f.must("done", 5*time.Minute, o.over)
		want(f, "err", o.err(), "")
		f.must("owned", 10*time.Second, f.owned(36))
		for _, m := range f.inOrder() {
			if slices.ContainsFunc(strings.Fields(f.pids(m)), func(pid string) bool { return slices.Contains(before[m.Name], pid) }) {
				f.t.Errorf("%s has an old process: %s, before %v", m.Name, f.pids(m), before[m.Name])
			}
		}
		want(f, "identifies", f.identifies(), 36)
		want(f, "words: given, 3 machines, 9 clusters, done", len(o.moves()), 1+3+9+1)
	})
}

// Orders that cannot be carried out are answered with the reason; one that concerns a cluster finds
// it, wherever it is.
func TestOrdersAreAnswered(t *testing.T) {
	seeds(t, func(f *fleet) {
		f.withDiscord(rules.Config{ShardCount: 24, MaxConcurrency: 4})
		own := f.withOwnMaster(2)
		for i := range 2 {
			f.add(fmt.Sprintf("m%d", i+1), f.cast(func(cluster string, start int) fakecluster.SDK {
				if cluster == "3" && start > 1 {
					return fakecluster.SDK{ExitAfter: 1, ExitCode: 3}
				}
				return fakecluster.SDK{}
			}), sesame, mortal)
		}
		f.must("the fleet is whole", 2*time.Minute, func() bool { return own.saw("fleet.operational") == 1 })
		for _, c := range []struct {
			want    messages.FleetDirective
			err     string
			refusal messages.Refusal
		}{
			{messages.RestartCluster{Cluster: 5}, "", ""},
			{messages.RestartCluster{Cluster: 3}, "gave up after 4 attempts", ""},
			{messages.RestartCluster{Cluster: 6}, "cluster 6: no linked machine has it", messages.RefusedUnknown},
			{messages.DrainMachine{Source: "m9"}, `machine "m9" is not known`, messages.RefusedUnknown},
			{messages.ResumeFleet{}, "the fleet is not halted", messages.RefusedNow},
			{messages.ForgetMachine{Source: "m1"}, "machine m1 is linked: stop it first", messages.RefusedNow},
		} {
			o := own.order("", c.want)
			f.must("an answer", 2*time.Minute, o.over)
			if got := o.err(); c.err == "" && got != "" || !strings.Contains(got, c.err) || o.verdict.Refusal != c.refusal {
				f.t.Errorf("%+v: %q, %q, want %q, %q", c.want, o.verdict.Refusal, got, c.refusal, c.err)
			}
		}
		f.powerOff(f.machines["m2"])
		f.pass(time.Second)
		o := own.order("f", messages.ForgetMachine{Source: "m2"})
		f.must("forgotten", time.Second, o.over)
		f.must("its shards are served at once", 10*time.Second, func() bool { return len(f.machines["m1"].Processes()) == 5 })
		last := own.order("l", messages.DrainMachine{Source: "m1"})
		f.must("refused", time.Second, last.over)
		want(f, "why", last.err(), "machine m1: there is no other machine to take its shards")
	})
}

// The fleet is halted for a token; an operator has repaired it and resumes. A machine that was away
// remembers the halt, and does not bring it back, nor does a restarted MASTER.
func TestResumeFleet(t *testing.T) {
	seeds(t, func(f *fleet) {
		own := f.fleetOf(rules.Config{ShardCount: 36, MaxConcurrency: 12}, 3)
		f.discord.Step(rules.Fault{Kind: rules.FaultClose, Shard: 3, Code: 4014})
		f.must("everything is stopped", 20*time.Second, func() bool { return f.everywhere() == 0 && own.saw("fleet.halted") == 1 })
		away := f.machines["m2"]
		f.must("it has written the halt down", time.Second, func() bool { return strings.Contains(away.File("link.json"), `"halted"`) })
		f.crash(away)
		away.gone = true
		if f.loop.Rand.IntN(2) == 0 {
			own.Crash()
			own.start()
			f.must("halted still", 2*time.Minute, func() bool { return own.saw("fleet.halted") == 2 })
		}
		f.pass(time.Minute)
		want(f, "processes while halted", f.everywhere(), 0)
		o := own.order("r", messages.ResumeFleet{})
		f.must("resumed", time.Second, o.over)
		want(f, "err", o.err(), "")
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
