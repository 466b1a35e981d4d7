package master

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// fatal is what a machine learned of a token or of intents that Discord refuses: the whole fleet stops at the first word of it.
func (f *Fleet) fatal(ctx actor.Context, m fatal) {
	p := m.packet
	if m.times > 0 {
		f.raise(messages.MachineSaid{Source: m.source, Kind: "fatal", CloseCode: p.Code, Shards: p.Shards.String(), Err: p.Message, Times: more(m.times)})
	}
	if plan.WrongSharding(p.Code) {
		f.askRecommended(ctx, p.Code)
	}
	if messages.FleetCode(p.Code) {
		f.halt(ctx, messages.Halt{Code: p.Code, Token: f.options.Token.Fingerprint(), Epoch: f.epoch})
	}
}

// halt shuts every machine down, once. It lasts as long as the token: the machines remember it for a MASTER that starts anew.
func (f *Fleet) halt(ctx actor.Context, h messages.Halt) {
	if f.halted != nil || f.resumed.Lifts(h) {
		return
	}
	f.halted = &h
	f.raise(messages.FleetHalted{CloseCode: h.Code, Token: h.Token, Hint: plan.FatalHint(h.Code)})
	if f.governor != nil {
		ctx.Send(f.governor, halted{})
	}
	for _, s := range f.inOrder() {
		s.granted, s.leaving = nil, nil
		if s.link != nil {
			f.shutDown(ctx, s)
		}
	}
}

func (f *Fleet) shutDown(ctx actor.Context, s *seat) {
	f.order(ctx, s, func(id string) messages.FromMaster {
		return messages.Shutdown{ID: id, Reason: fmt.Sprintf("halted: a shard was closed with %d", f.halted.Code), Halt: f.halted}
	})
}

// remember takes a machine's word for the last halt that was lifted.
func (f *Fleet) remember(info messages.Info) {
	if r := info.Resumed; r != nil && r.Token == f.options.Token.Fingerprint() && (f.resumed == nil || r.Epoch > f.resumed.Epoch) {
		f.resumed = r
	}
}

// judge takes the halts that machines remember for the fleet's own, unless an operator lifted them while they were away; those are told. While CONTROLs gather one may come
// yet that knows of it.
func (f *Fleet) judge(ctx actor.Context) {
	for _, s := range f.inOrder() {
		switch h := s.halted; {
		case h == nil || h.Token != f.options.Token.Fingerprint():
		case f.resumed.Lifts(*h):
			s.halted = nil
			f.tellResumed(ctx, s)
		case f.State() == "serving":
			f.halt(ctx, *h)
		}
	}
}

// resume ends the halt, by order of an operator: the machines forget it, and everything starts.
func (f *Fleet) resume(ctx actor.Context) error {
	if f.halted == nil {
		return errors.New("the fleet is not halted")
	}
	h := *f.halted
	f.resumed, f.halted = &h, nil
	f.raise(messages.FleetResumed{CloseCode: h.Code, Token: h.Token})
	if !f.budgeted { // while it was halted nobody asked
		f.ask(ctx)
	}
	f.epoch++ // a halt from now on is another one
	if f.governor != nil {
		ctx.Send(f.governor, resumed{})
	}
	for _, s := range f.inOrder() {
		s.halted = nil
		f.greet(ctx, s)
		f.tellResumed(ctx, s)
	}
	f.settle(ctx)
	return nil
}

func (f *Fleet) tellResumed(ctx actor.Context, s *seat) {
	if s.link == nil {
		return
	}
	args, err := json.Marshal(f.resumed)
	if err != nil {
		panic(err) // numbers and a text
	}
	f.order(ctx, s, func(id string) messages.FromMaster {
		return messages.Command{ID: id, Name: messages.CommandResumeFleet, Args: args}
	})
}
