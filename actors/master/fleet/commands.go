package fleet

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file carries out operators' orders.

// carry begins an order. done: it is complete already, or refused.
func (f *Fleet) carry(o *openOrder) (done bool, err error) {
	switch d := o.Directive.(type) {
	case messages.ResumeFleet:
		return true, f.resume()
	case messages.RestartCluster:
		return f.restart(o, d)
	case messages.RollingRestart:
		return f.rollAll(o)
	case messages.DrainMachine:
		return f.drain(d.Source)
	case messages.UndrainMachine:
		return true, f.undrain(d.Source)
	case messages.ForgetMachine:
		return true, f.forgetNow(d.Source)
	}
	return true, fmt.Errorf("%s: MASTER does not know how", o.Directive.FleetOrder())
}

func (f *Fleet) restart(o *openOrder, d messages.RestartCluster) (done bool, err error) {
	m := f.ownerOf(d.Cluster)
	switch {
	case m == nil:
		return true, unknownError{fmt.Errorf("cluster %s: no linked machine has it", d.Cluster)}
	case !m.takesOrders:
		return true, m.cannotObey()
	}
	f.command(o, m, messages.CommandRestartCluster, messages.RestartClusterArgs{Cluster: d.Cluster, Fresh: d.Fresh})
	return false, nil
}

// rollAll restarts the clusters of one machine after the other.
func (f *Fleet) rollAll(o *openOrder) (done bool, err error) {
	rolls := func(other *openOrder) bool {
		_, rolls := other.Directive.(messages.RollingRestart)
		return rolls && other != o
	}
	switch {
	case f.halted != nil:
		return true, errors.New("the fleet is halted")
	case slices.ContainsFunc(f.open, rolls):
		return true, errors.New("a rolling restart is under way")
	}
	for _, m := range f.inOrder() {
		if m.link != 0 && m.takesOrders && len(m.granted) > 0 {
			o.queue = append(o.queue, m.source)
		}
	}
	return f.rollNext(o)
}

func (f *Fleet) undrain(source string) error {
	m, err := f.named(source)
	if err == nil {
		m.drained, m.spare = new(false), false
		f.greet(m)
	}
	return err
}

// forgetNow replaces and forgets a machine that is known to be dead.
func (f *Fleet) forgetNow(source string) error {
	m, err := f.named(source)
	switch {
	case err != nil:
		return err
	case m.link != 0:
		return fmt.Errorf("machine %s is linked: stop it first", source)
	}
	f.replace(m)
	f.forget(forgetDue{m.source, m.losses})
	if f.paced() {
		f.do(Dead{source})
	}
	return nil
}

func (f *Fleet) named(source string) (*machine, error) {
	if m := f.machines[source]; m != nil {
		return m, nil
	}
	return nil, unknownError{fmt.Errorf("machine %.60q is not known", source)}
}

// ownerOf returns the linked machine that has a cluster; nil for none.
func (f *Fleet) ownerOf(id messages.ClusterID) *machine {
	per := f.settings.perCluster
	if per == 0 || int(id) > f.settings.shards/per {
		return nil
	}
	shards := messages.ShardRange{First: int(id) * per, Last: (int(id)+1)*per - 1}
	for _, m := range f.inOrder() {
		if m.link != 0 && slices.ContainsFunc(m.granted, shards.Overlaps) {
			return m
		}
	}
	return nil
}

// command sends a command to a machine, and waits for its end. Its id follows from the order's:
// when the next run of MASTER gets the same order again, each machine answers for what it did, or
// is doing, by its last report (PROTOCOL B1: a repeated id is answered from memory).
func (f *Fleet) command(o *openOrder, m *machine, name string, args any) {
	raw, err := json.Marshal(args)
	if err != nil {
		panic(err) // its own value
	}
	o.command, o.at = commandID(name, o.ID, m), m.source
	f.do(Send{Link: m.link, Packet: messages.Command{ID: o.command, Name: name, Args: raw}})
}

func commandID(name, orderID string, m *machine) string { return name + "/" + orderID + "/" + m.source }

// resumeRolling goes on with a rolling restart of an earlier run of MASTER, of which a machine
// reports its part.
func (f *Fleet) resumeRolling(m *machine, commandID string) {
	id, rolls := strings.CutPrefix(commandID, messages.CommandRollingRestart+"/")
	if id, ours := strings.CutSuffix(id, "/"+m.source); rolls && ours && id != "" && len(id) <= messages.FleetOrderIDMax {
		f.accept(messages.FleetOrder{ID: id, Directive: messages.RollingRestart{}, By: "MASTER, before it was restarted"})
	}
}

// rollNext begins the rolling restart of the next machine.
func (f *Fleet) rollNext(o *openOrder) (done bool, err error) {
	for len(o.queue) > 0 {
		m := f.machines[o.queue[0]]
		o.queue = o.queue[1:]
		if m == nil || len(m.granted) == 0 {
			continue
		}
		if m.link == 0 {
			return true, fmt.Errorf("machine %s was lost before its turn", m.source)
		}
		f.advance(o, "machine "+m.source)
		f.command(o, m, messages.CommandRollingRestart, nil)
		return false, nil
	}
	return true, nil
}

// drain gives a machine nothing more, and assigns what it has to others.
func (f *Fleet) drain(source string) (done bool, err error) {
	m, err := f.named(source)
	switch {
	case err != nil:
		return true, err
	case len(m.granted) > 0 && m.link == 0:
		return true, fmt.Errorf("machine %s is not linked", source)
	case len(m.granted) > 0 && !m.takesOrders:
		return true, m.cannotObey()
	case len(m.granted) > 0 && !slices.ContainsFunc(f.inOrder(), func(o *machine) bool { return o != m && o.informed && !o.isDrained() && !o.refused }):
		return true, fmt.Errorf("machine %s: there is no other machine to take its shards", source)
	}
	m.drained = new(true)
	f.greet(m)
	return false, nil
}

// offloadDrained orders a drained machine to let go of what it has, once another machine can take
// it, where the fleet serves. The machine remembers that it is drained: that is all that MASTER's
// next run needs to go on with it.
func (f *Fleet) offloadDrained(m *machine) {
	if !m.isDrained() || !m.informed || !f.slotsKnown() || !f.canTake() {
		return
	}
	for _, r := range m.granted {
		if !slices.Contains(m.leaving, r) {
			m.leaving = append(m.leaving, r)
			f.offload(m, r, "the machine is drained", 0)
		}
	}
}

// checkDrains ends the drains that are done: the machine has nothing, and everything is up
// elsewhere, or has failed there.
func (f *Fleet) checkDrains() {
	for _, o := range slices.Clone(f.open) {
		d, drains := o.Directive.(messages.DrainMachine)
		if !drains || o.waits {
			continue
		}
		switch m := f.machines[d.Source]; {
		case m == nil: // it left
			f.end(o, messages.FleetOrderDone, nil)
		case !m.isDrained():
			f.end(o, messages.FleetOrderFailed, fmt.Errorf("machine %s was undrained before the drain ended", d.Source))
		default:
			missing := load(plan.Unserved(f.settings.shards, f.rangesIn(messages.RangeOperational, messages.RangeFailed, messages.RangeStopped)))
			if missing > 0 {
				f.advance(o, fmt.Sprintf("%d shards are on their way", missing))
			} else if len(m.granted) == 0 && (len(m.ranges) == 0 || m.link == 0) { // what was lost and replaced reports nothing more
				f.end(o, messages.FleetOrderDone, nil)
			}
		}
	}
}

// acked takes a machine's answer to a command, or its refusal of an order.
func (f *Fleet) acked(e Acked) {
	m := f.machines[e.Source]
	if m == nil || m.link != e.Link {
		return
	}
	i := slices.IndexFunc(f.open, func(o *openOrder) bool { return o.command != "" && o.command == e.Ack.ID })
	if i < 0 {
		if e.Ack.OK != nil && !*e.Ack.OK {
			f.refuse(m, e.Ack.Range)
		}
		f.resumeRolling(m, e.Ack.ID)
		return
	}
	switch o := f.open[i]; {
	case e.Ack.OK == nil:
		f.advance(o, e.Ack.Progress)
	case !*e.Ack.OK:
		f.end(o, messages.FleetOrderFailed, fmt.Errorf("machine %s: %s", e.Source, e.Ack.Error))
	default:
		switch done, err := f.rollNext(o); {
		case err != nil:
			f.end(o, messages.FleetOrderFailed, err)
		case done:
			f.end(o, messages.FleetOrderDone, nil)
		}
	}
}

// failOrdersAt ends the orders that a machine was carrying out when its link ended. It may still
// carry them out, which nothing would report.
func (f *Fleet) failOrdersAt(m *machine) {
	for _, o := range slices.Clone(f.open) {
		if o.at == m.source {
			f.end(o, messages.FleetOrderFailed, fmt.Errorf("machine %s was lost", m.source))
		}
	}
}
