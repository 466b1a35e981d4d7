package scenarios

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/test/fakecluster"
	"github.com/discluster/control/test/mockmaster"
	"github.com/discluster/control/test/sim"
	"github.com/discluster/control/transport/discord/rules"
	"github.com/discluster/control/transport/proc"
)

// must runs for at most d until done, and fails the run when that does not come, with the log.
func (f *fleet) must(what string, d time.Duration, done func() bool) {
	f.t.Helper()
	err := f.loop.Until(d, done)
	if err == nil && !done() {
		err = fmt.Errorf("%s: not within %v", what, d)
	}
	if err != nil {
		f.t.Fatalf("%v\n%s", err, f.log)
	}
}

// pass lets time pass.
func (f *fleet) pass(d time.Duration) {
	f.t.Helper()
	if err := f.loop.Run(d); err != nil {
		f.t.Fatalf("%v\n%s", err, f.log)
	}
}

// want fails the story unless got is wanted.
func want[T comparable](f *fleet, what string, got, wanted T) {
	f.t.Helper()
	if got != wanted {
		f.t.Fatalf("%s: %v, want %v\n%s", what, got, wanted, f.log)
	}
}

// alone puts Discord, a scripted MASTER and the machine m1 into the net, whose clusters are good
// except the odd ones, and waits for the link.
func (f *fleet) alone(shards, maxConcurrency int, o mockmaster.Options, odd map[string]fakecluster.SDK, change ...func(*actors.Options)) *machine {
	f.t.Helper()
	return f.aloneWith(rules.Config{ShardCount: shards, MaxConcurrency: maxConcurrency}, o, f.good(odd), change...)
}

// aloneWith is alone with another Discord and other programs.
func (f *fleet) aloneWith(c rules.Config, o mockmaster.Options, program func(proc.Spec) (sim.Program, error), change ...func(*actors.Options)) *machine {
	f.t.Helper()
	f.withDiscord(c)
	f.withMaster(o)
	m := f.add("m1", program, change...)
	f.must("the link", time.Minute, f.sawN("master.linked", 1))
	return m
}

// connect grants a range to a machine.
func (f *fleet) connect(m *machine, id string, first, last int) {
	f.master.Send(m.Name, messages.Connect{ID: id, Range: &messages.ShardRange{First: first, Last: last}})
}

// serve grants a range and waits until it is operational.
func (f *fleet) serve(m *machine, id string, first, last int) {
	f.t.Helper()
	f.connect(m, id, first, last)
	f.must("operational", 10*time.Minute, f.acked(m, id, "operational"))
}

// sent returns the packets of one type that a machine sent to MASTER.
func sent[T messages.FromControl](f *fleet, m *machine) []T {
	var all []T
	for _, p := range f.master.Heard(m.Name) {
		if one, ok := p.(T); ok {
			all = append(all, one)
		}
	}
	return all
}

// rangesOf returns an info's ranges in one line.
func rangesOf(i messages.Info) string {
	var all []string
	for _, r := range i.Ranges {
		all = append(all, fmt.Sprintf("%s %s", r.Range, r.State))
	}
	return strings.Join(all, ", ")
}

// acked returns a condition: the order with an id was answered with a state.
func (f *fleet) acked(m *machine, id, state string) func() bool {
	return func() bool { return f.acks(m, id, state) > 0 }
}

// acks counts the answers to an order with a state.
func (f *fleet) acks(m *machine, id, state string) int {
	n := 0
	for _, a := range sent[messages.Ack](f, m) {
		if a.ID == id && a.State == state {
			n++
		}
	}
	return n
}

// events returns the events of one type, in order.
func events[T messages.Event](f *fleet) []T {
	var all []T
	for _, h := range f.events {
		if e, ok := h.event.(T); ok {
			all = append(all, e)
		}
	}
	return all
}

// last returns the newest event of a type, which must exist.
func last[T messages.Event](f *fleet) T {
	f.t.Helper()
	all := events[T](f)
	if len(all) == 0 {
		f.t.Fatalf("no %T was raised\n%s", *new(T), f.log)
	}
	return all[len(all)-1]
}

// saw counts the events with a name.
func (f *fleet) saw(name string) int {
	n := 0
	for _, h := range f.events {
		if got, _ := h.event.Event(); got == name {
			n++
		}
	}
	return n
}

// sawN returns a condition: n events with a name.
func (f *fleet) sawN(name string, n int) func() bool {
	return func() bool { return f.saw(name) >= n }
}

// owned returns a condition: n shards have an owner at Discord.
func (f *fleet) owned(n int) func() bool {
	return func() bool { return f.discord.Rules.Counts().Owned == n }
}

// identifies returns how many Discord has seen.
func (f *fleet) identifies() int { return f.discord.Rules.Counts().Identifies }

// processOf returns the process of a cluster on a machine; nil when there is none.
func (f *fleet) processOf(m *machine, cluster string) *sim.Proc {
	all := m.Processes()
	if i := slices.IndexFunc(all, func(p *sim.Proc) bool { return p.Env("CLUSTER_ID") == cluster }); i >= 0 {
		return all[i]
	}
	return nil
}

// pids lists the processes of a machine.
func (f *fleet) pids(m *machine) string {
	var all []string
	for _, p := range m.Processes() {
		all = append(all, fmt.Sprint(p.PID()))
	}
	return strings.Join(all, " ")
}

// running returns a condition: n processes are alive on a machine.
func (f *fleet) running(m *machine, n int) func() bool {
	return func() bool { return len(m.Processes()) == n }
}

// state returns a cluster's last reported state.
func (f *fleet) state(m *machine, cluster messages.ClusterID) messages.ClusterState {
	for _, h := range slices.Backward(f.events) {
		if e, ok := h.event.(messages.ClusterMoved); ok && h.machine == m.Name && e.Cluster == cluster {
			return e.State
		}
	}
	return ""
}

// stateIs returns a condition on it.
func (f *fleet) stateIs(m *machine, cluster messages.ClusterID, state messages.ClusterState) func() bool {
	return func() bool { return f.state(m, cluster) == state }
}

// recover does what an operator would: it starts every cluster again that gave up or was broken
// off, and accepts a MASTER whose clock was set back.
func (f *fleet) recover() {
	past := false
	if f.saw("master.refused") > 0 {
		past = last[messages.MasterRefusedUs](f).CloseCode == messages.CloseStaleEpoch
	}
	for _, m := range f.inOrder() {
		if past && m.root != nil { // one that obeys MASTER refuses the order
			f.system.Root.Send(m.root, messages.AcceptMaster{})
		}
		for _, id := range slices.Sorted(maps.Keys(m.gaveUp)) {
			if f.state(m, id) == messages.ClusterFailed {
				f.restart(m, id)
			}
		}
	}
}

// restart and stop are an operator's orders.
func (f *fleet) restart(m *machine, cluster messages.ClusterID) {
	delete(m.gaveUp, cluster)
	f.order(m, messages.RestartCluster{Cluster: cluster})
}

func (f *fleet) stop(m *machine, cluster messages.ClusterID) {
	f.order(m, messages.StopCluster{Cluster: cluster})
}

// help gives each of a machine's clusters, clusters in number, a fresh start if it was
// stopped, broken off or given up, as an operator would.
func (f *fleet) help(m *machine, clusters int) {
	for id := range messages.ClusterID(clusters) {
		if s := f.state(m, id); s == messages.ClusterStopped || s == messages.ClusterFailed || s == messages.ClusterDraining {
			f.restart(m, id)
		}
	}
}

// mustWithHelp is must with an operator that looks every 10 s, and helps.
func (f *fleet) mustWithHelp(m *machine, clusters int, what string, d time.Duration, done func() bool) {
	f.t.Helper()
	for end := f.loop.Now() + d; !done() && f.loop.Now() < end; {
		f.help(m, clusters)
		if err := f.loop.Until(10*time.Second, done); err != nil {
			break // must reports it
		}
	}
	f.must(what, 0, done)
}

func (f *fleet) order(m *machine, command any) {
	f.commanded(m, command)
	f.system.Root.Send(actor.NewPID(m.root.Address, m.root.Id+"/clusters"), command)
}

// stopControl stops a machine's CONTROL as an operator would, and returns how long that took.
func (f *fleet) stopControl(m *machine) time.Duration {
	f.t.Helper()
	began := f.loop.Now()
	f.system.Root.Send(m.root, messages.Stop{Reason: "an operator"})
	f.must("CONTROL stops", time.Minute, func() bool { return m.gone })
	return f.loop.Now() - began
}

// blind makes every search for processes of a machine end without an answer, and every small file
// unreadable, or one of the two.
func (f *fleet) blind(m *machine) {
	if what := f.loop.Rand.IntN(3); what != 0 {
		m.FindErr = f.findErr()
	} else {
		m.ReadErr = func(string) error { return syscall.EIO }
	}
}

// see ends blind.
func (f *fleet) see(m *machine) { m.FindErr, m.ReadErr = nil, nil }

// title lets one of a machine's processes overwrite its environment, if a record names it: without
// either it could not be found.
func (f *fleet) title(m *machine) {
	all := m.Bots()
	if len(all) == 0 {
		return
	}
	p := all[f.loop.Rand.IntN(len(all))]
	if strings.Contains(m.File("cluster-"+p.Env("CLUSTER_ID")+".json"), fmt.Sprintf(`"pid":%d,`, p.PID())) {
		p.Wipe()
	}
}

// helper lets one of a machine's processes start another in a session of its own.
func (f *fleet) helper(m *machine) {
	if all := m.Bots(); len(all) > 0 {
		all[f.loop.Rand.IntN(len(all))].Fork(func(*sim.Proc) {})
	}
}
