package link

import (
	"fmt"

	"github.com/discluster/control/actors/plan"
	"github.com/discluster/control/messages"
)

// This file handles a token that Discord refuses, or intents that it forbids. The first shard that
// is closed for it stops the whole fleet. Nothing identifies with that token again, over restarts
// too, until an operator sets another one or resumes the fleet.

// fatal passes a cluster's fatal failure to MASTER, which stops the fleet if the code concerns all
// shards. Without a MASTER that can do so this machine stops itself.
func (l *Link) fatal(f messages.Fatal) {
	l.send(f)
	if !messages.FleetCode(f.Code) {
		return
	}
	h := messages.Halt{Code: f.Code, Token: l.settings.Token.Fingerprint(), Epoch: l.memory.Epoch}
	if l.link != 0 && l.announced(messages.FeatureOrders) {
		l.awaitedHalt = &h // MASTER's shutdown follows, unless the link is lost before
		return
	}
	l.halt(h)
}

// halt stops every cluster and records the halt for the next run.
func (l *Link) halt(h messages.Halt) {
	l.awaitedHalt = nil
	if l.memory.Halted != nil && l.memory.Halted.Token == h.Token || l.memory.Resumed.Lifts(h) {
		return
	}
	l.memory.Halted = &h
	l.save()
	l.raise(messages.FleetHalted{CloseCode: h.Code, Token: h.Token, Hint: plan.FatalHint(h.Code)})
	l.settings.Halted = true
	l.deliver(Gate, l.settings)
	l.deliver(Clusters, messages.StopAll{Reason: fmt.Sprintf("halted: a shard was closed with %d", h.Code)})
	l.deliver(Clusters, l.settings)
}

// resume ends a halt, by order of an operator. The memory keeps that, for a MASTER that learns of
// the halt from a machine that was away.
func (l *Link) resume(h messages.Halt) {
	if h.Lifts(messages.Halt{Token: l.settings.Token.Fingerprint()}) && !l.memory.Resumed.Lifts(h) {
		l.memory.Resumed = &h
	}
	if was := l.memory.Halted; was != nil && h.Lifts(*was) {
		l.memory.Halted, l.settings.Halted = nil, false
		l.raise(messages.FleetResumed{CloseCode: was.Code, Token: was.Token})
		l.deliver(Gate, l.settings)
		if !l.unconfirmed { // else the clusters get them once MASTER has confirmed what is served here
			l.deliver(Clusters, l.settings)
		}
	}
	l.save()
}

// isHalted reports whether a token may not identify. Another token than that of the halt ends it,
// in the next run too: MASTER sends the token before anything starts.
func (l *Link) isHalted(token messages.Secret) bool {
	if l.memory.Halted == nil {
		return false
	}
	if token != "" && l.memory.Halted.Token != token.Fingerprint() {
		l.memory.Halted = nil
		return false
	}
	return true
}
