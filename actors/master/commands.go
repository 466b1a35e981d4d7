package master

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is how an operator's orders are carried out; what they are is in orders.go.

// desk is the orders that are known.
type desk struct {
	open []*openOrder
	done []Done // the newest, at most doneKept
}

// openOrder is an order under way.
type openOrder struct {
	Order
	askers  []*actor.PID
	command string   // the id of the command that is out; "": none is
	at      string   // the machine it went to
	queue   []string // machines whose turn is to come
}

// Limits of the desk.
const (
	doneKept = 256
	openMax  = 64
)

// take begins an order, unless it is known.
func (f *Fleet) take(ctx actor.Context, o Order) {
	for _, known := range f.open {
		if o.ID != "" && known.ID == o.ID {
			known.askers = append(known.askers, ctx.Sender())
			return
		}
	}
	open := &openOrder{Order: o, askers: []*actor.PID{ctx.Sender()}}
	for _, known := range f.done {
		if o.ID != "" && known.ID == o.ID {
			f.answer(ctx, open, known)
			return
		}
	}
	if len(f.open) == openMax {
		f.answer(ctx, open, Done{ID: o.ID, Err: fmt.Sprintf("%d orders are under way, which is the limit", openMax)})
		return
	}
	f.open = append(f.open, open)
	if done, err := f.carry(ctx, open); done {
		f.end(ctx, open, err)
	}
	f.progress(ctx)
}

// carry begins what an order wants. done: that was all, or it is refused.
func (f *Fleet) carry(ctx actor.Context, o *openOrder) (done bool, err error) {
	switch w := o.Want.(type) {
	case ResumeFleet:
		return true, f.resume(ctx)
	case RestartCluster:
		s := f.ownerOf(w.Cluster)
		if s == nil {
			return true, fmt.Errorf("cluster %s: no linked machine has it", w.Cluster)
		}
		f.command(ctx, o, s, messages.CommandRestartCluster, messages.RestartClusterArgs{Cluster: w.Cluster, Fresh: w.Fresh})
		return false, nil
	case RollingRestart:
		if slices.ContainsFunc(f.open, func(other *openOrder) bool { _, rolls := other.Want.(RollingRestart); return rolls && other != o }) {
			return true, errors.New("a rolling restart is under way")
		}
		for _, s := range f.inOrder() {
			if s.link != nil && len(s.granted) > 0 {
				o.queue = append(o.queue, s.source)
			}
		}
		return f.roll(ctx, o)
	case DrainMachine:
		return f.drain(ctx, w.Source)
	case UndrainMachine:
		s, err := f.known(w.Source)
		if err == nil {
			s.drained, s.spare = false, false
			f.settle(ctx)
		}
		return true, err
	case ForgetMachine:
		s, err := f.known(w.Source)
		switch {
		case err != nil:
			return true, err
		case s.link != nil:
			return true, fmt.Errorf("machine %s is linked: stop it first", w.Source)
		}
		f.replace(ctx, s)
		f.forget(ctx, forgetDue{s.source, s.losses})
		return true, nil
	default: // Status: it is in the answer
		return true, nil
	}
}

func (f *Fleet) known(source string) (*seat, error) {
	if s := f.seats[source]; s != nil {
		return s, nil
	}
	return nil, fmt.Errorf("machine %.60q is not known", source)
}

// ownerOf is the linked machine that has a cluster; nil for none.
func (f *Fleet) ownerOf(id messages.ClusterID) *seat {
	per := f.settings.perCluster
	shards := messages.ShardRange{First: int(id) * per, Last: (int(id)+1)*per - 1}
	for _, s := range f.inOrder() {
		if s.link != nil && slices.ContainsFunc(s.granted, shards.Overlaps) {
			return s
		}
	}
	return nil
}

// command sends a command to a machine, and waits for its end.
func (f *Fleet) command(ctx actor.Context, o *openOrder, s *seat, name string, args any) {
	raw, err := json.Marshal(args)
	if err != nil {
		panic(err) // of our own making
	}
	f.order(ctx, s, func(id string) messages.FromMaster {
		o.command, o.at = id, s.source
		return messages.Command{ID: id, Name: name, Args: raw}
	})
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
		f.say(ctx, o, "machine "+s.source)
		f.command(ctx, o, s, messages.CommandRollingRestart, nil)
		return false, nil
	}
	return true, nil
}

// drain tells a machine to let go of everything; whoever takes it gets it when it is free.
func (f *Fleet) drain(ctx actor.Context, source string) (done bool, err error) {
	s, err := f.known(source)
	switch {
	case err != nil:
		return true, err
	case len(s.granted) > 0 && s.link == nil:
		return true, fmt.Errorf("machine %s is not linked", source)
	case len(s.granted) > 0 && !slices.ContainsFunc(f.inOrder(), func(o *seat) bool { return o != s && o.ready() && !o.drained && !o.refused }):
		return true, fmt.Errorf("machine %s: there is no other machine to take its shards", source)
	}
	s.drained = true
	for _, r := range s.granted {
		if slices.Contains(s.leaving, r) {
			continue
		}
		s.leaving = append(s.leaving, r)
		f.order(ctx, s, func(id string) messages.FromMaster {
			return messages.Offload{ID: id, Range: r, Reason: "the machine is drained"}
		})
	}
	return false, nil
}

// progress looks which drains are done: the machine has nothing, and everything is up elsewhere, or has failed there.
func (f *Fleet) progress(ctx actor.Context) {
	for _, o := range slices.Clone(f.open) {
		d, drains := o.Want.(DrainMachine)
		if !drains {
			continue
		}
		switch s := f.seats[d.Source]; {
		case s == nil: // it took its leave
			f.end(ctx, o, nil)
		case !s.drained:
			f.end(ctx, o, fmt.Errorf("machine %s was undrained meanwhile", d.Source))
		case len(s.granted) == 0 && len(s.ranges) == 0 && len(plan.Unserved(f.settings.shards, f.in(messages.RangeOperational, messages.RangeFailed, messages.RangeStopped))) == 0:
			f.end(ctx, o, nil)
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
	case i < 0:
	case m.ack.OK == nil:
		f.say(ctx, f.open[i], m.ack.Progress)
	case !*m.ack.OK:
		f.end(ctx, f.open[i], fmt.Errorf("machine %s: %s", m.source, m.ack.Error))
	default:
		o := f.open[i]
		o.command = ""
		if done, err := f.roll(ctx, o); done {
			f.end(ctx, o, err)
		}
	}
}

// abandon ends what a machine was to do whose link is gone. It may do it all the same; nobody will know.
func (f *Fleet) abandon(ctx actor.Context, s *seat) {
	for _, o := range slices.Clone(f.open) {
		if o.command != "" && o.at == s.source {
			f.end(ctx, o, fmt.Errorf("machine %s was lost", s.source))
		}
	}
}

func (f *Fleet) say(ctx actor.Context, o *openOrder, text string) {
	f.tell(ctx, o, Progress{o.ID, text})
}

// end gives the last word on an order, and remembers it.
func (f *Fleet) end(ctx actor.Context, o *openOrder, err error) {
	f.open = slices.DeleteFunc(f.open, func(other *openOrder) bool { return other == o })
	done := Done{ID: o.ID}
	if err != nil {
		done.Err = err.Error()
	}
	if o.ID != "" {
		f.done = append(f.done, done)
		f.done = f.done[max(0, len(f.done)-doneKept):]
	}
	f.answer(ctx, o, done)
}

func (f *Fleet) answer(ctx actor.Context, o *openOrder, done Done) {
	if _, asks := o.Want.(Status); asks {
		done.Status = f.standing()
	}
	f.tell(ctx, o, done)
}

func (f *Fleet) tell(ctx actor.Context, o *openOrder, word any) {
	for _, asker := range o.askers {
		if asker != nil {
			ctx.Send(asker, word)
		}
	}
}

// standing is how the fleet stands.
func (f *Fleet) standing() *Standing {
	all := &Standing{State: f.State(), Epoch: f.epoch, ShardCount: f.settings.shards, MaxConcurrency: f.settings.maxConcurrency, Halted: f.halted, Machines: []MachineStanding{}}
	for _, s := range f.inOrder() {
		all.Machines = append(all.Machines, MachineStanding{Source: s.source, Host: s.host, Linked: s.link != nil, Spare: s.spare, Drained: s.drained, Place: s.place,
			Granted: slices.Clone(s.granted), Ranges: slices.Clone(s.ranges)})
	}
	return all
}
