package actors

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file is what a token that Discord refuses, or intents that it forbids, mean for the fleet: one shard learns it, all stop, and nothing identifies with that token
// again, whatever restarts, until an operator gives another one.

// fatal passes a cluster's fatal failure to MASTER, which stops the fleet where the code concerns all shards. Without a MASTER that can, this machine stops itself.
func (m *MasterLink) fatal(ctx actor.Context, f messages.Fatal) {
	m.send(ctx, f)
	if !messages.FleetCode(f.Code) {
		return
	}
	h := messages.Halt{Code: f.Code, Token: m.settings.Token.Fingerprint(), Epoch: m.memory.Epoch}
	if m.link != nil && m.announced(messages.FeatureOrders) {
		m.feared = &h // its shutdown follows; or its link is lost before
		return
	}
	m.halt(ctx, h)
}

// halt stops every cluster for good, and remembers why.
func (m *MasterLink) halt(ctx actor.Context, h messages.Halt) {
	m.feared = nil
	if m.memory.Halted != nil && m.memory.Halted.Token == h.Token || m.memory.Resumed.Lifts(h) {
		return
	}
	m.memory.Halted = &h
	m.save(ctx)
	m.raise(ctx, messages.FleetHalted{CloseCode: h.Code, Token: h.Token, Hint: plan.FatalHint(h.Code)})
	m.settings.Halted = true
	ctx.Send(m.house.Gate, m.settings)
	ctx.Send(m.house.Clusters, messages.StopAll{Reason: fmt.Sprintf("halted: a shard was closed with %d", h.Code)})
	ctx.Send(m.house.Clusters, m.settings)
}

// resume ends a halt, by order of an operator. It is remembered, for a MASTER that hears of the halt from a machine that was away.
func (m *MasterLink) resume(ctx actor.Context, h messages.Halt) {
	if h.Lifts(messages.Halt{Token: m.settings.Token.Fingerprint()}) && !m.memory.Resumed.Lifts(h) {
		m.memory.Resumed = &h
	}
	if was := m.memory.Halted; was != nil && h.Lifts(*was) {
		m.memory.Halted, m.settings.Halted = nil, false
		m.raise(ctx, messages.FleetResumed{CloseCode: was.Code, Token: was.Token})
		ctx.Send(m.house.Gate, m.settings)
		if !m.doubtful { // else the clusters get them once MASTER has confirmed what is served here
			ctx.Send(m.house.Clusters, m.settings)
		}
	}
	m.save(ctx)
}

// halted reports whether a token may not identify; another token ends the halt.
func (m *MasterLink) halted(ctx actor.Context, token messages.Secret) bool {
	if m.memory.Halted == nil {
		return false
	}
	if token != "" && m.memory.Halted.Token != token.Fingerprint() {
		m.memory.Halted = nil
		m.save(ctx)
		return false
	}
	return true
}
