package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is how an operator's orders are carried out.

// carry begins what an order wants. done: that was all, or it is refused.
func (f *Fleet) carry(ctx actor.Context, o *openOrder) (done bool, err error) {
	switch d := o.Directive.(type) {
	case messages.ResumeFleet:
		return true, f.resume(ctx)
	case messages.RestartCluster:
		return f.restart(ctx, o, d)
	case messages.RollingRestart:
		return f.rollAll(ctx, o)
	case messages.DrainMachine:
		return f.drain(ctx, d.Source)
	case messages.UndrainMachine:
		return true, f.undrain(ctx, d.Source)
	case messages.ForgetMachine:
		return true, f.giveUp(ctx, d.Source)
	}
	return true, fmt.Errorf("%s: MASTER does not know how", o.Directive.FleetOrder())
}

func (f *Fleet) restart(ctx actor.Context, o *openOrder, d messages.RestartCluster) (done bool, err error) {
	s := f.ownerOf(d.Cluster)
	switch {
	case s == nil:
		return true, unknownError{fmt.Errorf("cluster %s: no linked machine has it", d.Cluster)}
	case !s.obeys:
		return true, s.cannotObey()
	}
	f.command(ctx, o, s, messages.CommandRestartCluster, messages.RestartClusterArgs{Cluster: d.Cluster, Fresh: d.Fresh})
	return false, nil
}

// rollAll gives the machines their turns, one after the other.
func (f *Fleet) rollAll(ctx actor.Context, o *openOrder) (done bool, err error) {
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
	for _, s := range f.inOrder() {
		if s.link != nil && s.obeys && len(s.granted) > 0 {
			o.queue = append(o.queue, s.source)
		}
	}
	return f.roll(ctx, o)
}

func (f *Fleet) undrain(ctx actor.Context, source string) error {
	s, err := f.known(source)
	if err == nil {
		s.drained, s.spare = new(false), false
		f.greet(ctx, s)
	}
	return err
}

// giveUp replaces and forgets a machine that is known to be dead.
func (f *Fleet) giveUp(ctx actor.Context, source string) error {
	s, err := f.known(source)
	switch {
	case err != nil:
		return err
	case s.link != nil:
		return fmt.Errorf("machine %s is linked: stop it first", source)
	}
	f.replace(ctx, s)
	f.forget(ctx, forgetDue{s.source, s.losses})
	return nil
}

func (f *Fleet) known(source string) (*seat, error) {
	if s := f.seats[source]; s != nil {
		return s, nil
	}
	return nil, unknownError{fmt.Errorf("machine %.60q is not known", source)}
}

// ownerOf is the linked machine that has a cluster; nil for none.
func (f *Fleet) ownerOf(id messages.ClusterID) *seat {
	per := f.settings.perCluster
	if per == 0 || int(id) > f.settings.shards/per {
		return nil
	}
	shards := messages.ShardRange{First: int(id) * per, Last: (int(id)+1)*per - 1}
	for _, s := range f.inOrder() {
		if s.link != nil && slices.ContainsFunc(s.granted, shards.Overlaps) {
			return s
		}
	}
	return nil
}

// command sends a command to a machine, and waits for its end. Its id follows from the order's: who
// asks a MASTER that was started anew for the same order again is answered by each machine for what
// it did, or is at, by the word of the last one (PROTOCOL B1: a repeated id is answered from
// memory).
func (f *Fleet) command(ctx actor.Context, o *openOrder, s *seat, name string, args any) {
	raw, err := json.Marshal(args)
	if err != nil {
		panic(err) // of our own making
	}
	o.command, o.at = commandID(name, o.ID, s), s.source
	ctx.Send(f.sessions, order{s.pid, messages.Command{ID: o.command, Name: name, Args: raw}, false})
}

func commandID(name, orderID string, s *seat) string { return name + "/" + orderID + "/" + s.source }

// takeUp goes on with a rolling restart of an earlier life of ours: a machine tells of its part in it.
func (f *Fleet) takeUp(ctx actor.Context, s *seat, id string) {
	id, rolls := strings.CutPrefix(id, messages.CommandRollingRestart+"/")
	if id, ours := strings.CutSuffix(id, "/"+s.source); rolls && ours && id != "" && len(id) <= messages.FleetOrderIDMax {
		f.take(ctx, messages.FleetOrder{ID: id, Directive: messages.RollingRestart{}, By: "MASTER, before it was started anew", Answer: func(messages.Verdict) {}})
	}
}

// roll gives the next machine of a rolling restart its turn.
func (f *Fleet) roll(ctx actor.Context, o *openOrder) (done bool, err error) {
	for len(o.queue) > 0 {
		s := f.seats[o.queue[0]]
		o.queue = o.queue[1:]
		if s == nil || len(s.granted) == 0 {
			continue
		}
		if s.link == nil {
			return true, fmt.Errorf("machine %s was lost before its turn", s.source)
		}
		f.say(o, "machine "+s.source)
		f.command(ctx, o, s, messages.CommandRollingRestart, nil)
		return false, nil
	}
	return true, nil
}

// drain gives a machine nothing more, and what it has to others.
func (f *Fleet) drain(ctx actor.Context, source string) (done bool, err error) {
	s, err := f.known(source)
	switch {
	case err != nil:
		return true, err
	case len(s.granted) > 0 && s.link == nil:
		return true, fmt.Errorf("machine %s is not linked", source)
	case len(s.granted) > 0 && !s.obeys:
		return true, s.cannotObey()
	case len(s.granted) > 0 && !slices.ContainsFunc(f.inOrder(), func(o *seat) bool { return o != s && o.link != nil && o.informed && !o.isDrained() && !o.refused }):
		return true, fmt.Errorf("machine %s: there is no other machine to take its shards", source)
	}
	s.drained = new(true)
	f.greet(ctx, s)
	return false, nil
}

// empty tells a machine that is drained to let go of what it has, once there is another one for it: whoever takes it gets it when it is free. That the machine remembers
// being drained is all that it takes to go on with it when MASTER was started anew.
func (f *Fleet) empty(ctx actor.Context, s *seat) {
	if !s.isDrained() || s.link == nil || !s.informed || len(s.granted) == 0 || f.halted != nil || f.State() != "serving" || !f.seated() || !f.canTake() {
		return
	}
	for _, r := range s.granted {
		if slices.Contains(s.leaving, r) {
			continue
		}
		s.leaving = append(s.leaving, r)
		f.order(ctx, s, func(id string) messages.FromMaster {
			return messages.Offload{ID: id, Range: r, Reason: "the machine is drained"}
		})
	}
}

// progress looks which drains are done: the machine has nothing, and everything is up elsewhere, or has failed there.
func (f *Fleet) progress() {
	for _, o := range slices.Clone(f.open) {
		d, drains := o.Directive.(messages.DrainMachine)
		if !drains || o.waits {
			continue
		}
		switch s := f.seats[d.Source]; {
		case s == nil: // it took its leave
			f.end(o, messages.FleetOrderDone, nil)
		case !s.isDrained():
			f.end(o, messages.FleetOrderFailed, fmt.Errorf("machine %s was undrained meanwhile", d.Source))
		default:
			missing := 0
			for _, r := range plan.Unserved(f.settings.shards, f.in(messages.RangeOperational, messages.RangeFailed, messages.RangeStopped)) {
				missing += r.Len()
			}
			if missing > 0 {
				f.say(o, fmt.Sprintf("%d shards are on their way", missing))
			} else if len(s.granted) == 0 && (len(s.ranges) == 0 || s.link == nil) { // what was lost and replaced can tell nothing more
				f.end(o, messages.FleetOrderDone, nil)
			}
		}
	}
}

// acked is what a machine says of a command, or of an order it does not obey.
func (f *Fleet) acked(ctx actor.Context, m answered) {
	s := f.seats[m.source]
	if s == nil || s.link != m.link {
		return
	}
	i := slices.IndexFunc(f.open, func(o *openOrder) bool { return o.command != "" && o.command == m.ack.ID })
	switch {
	case i < 0 && m.ack.OK != nil && !*m.ack.OK:
		f.refuse(ctx, s, m)
		f.takeUp(ctx, s, m.ack.ID)
	case i < 0:
		f.takeUp(ctx, s, m.ack.ID)
	case m.ack.OK == nil:
		f.say(f.open[i], m.ack.Progress)
	case !*m.ack.OK:
		f.end(f.open[i], messages.FleetOrderFailed, fmt.Errorf("machine %s: %s", m.source, m.ack.Error))
	default:
		o := f.open[i]
		o.command = ""
		switch done, err := f.roll(ctx, o); {
		case err != nil:
			f.end(o, messages.FleetOrderFailed, err)
		case done:
			f.end(o, messages.FleetOrderDone, nil)
		}
	}
}

// abandon ends what a machine was to do whose link is gone. It may do it all the same; nobody will know.
func (f *Fleet) abandon(s *seat) {
	for _, o := range slices.Clone(f.open) {
		if o.command != "" && o.at == s.source {
			f.end(o, messages.FleetOrderFailed, fmt.Errorf("machine %s was lost", s.source))
		}
	}
}
