package master

import (
	"fmt"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/messages"
)

// fatal is what a machine learned of a token or of intents that Discord refuses: the whole fleet stops at the first word of it.
func (f *Fleet) fatal(ctx actor.Context, m fatal) {
	p := m.packet
	f.raise(messages.MachineSaid{Source: m.source, Kind: "fatal", CloseCode: p.Code, Shards: p.Shards.String(), Err: p.Message})
	if messages.FleetCode(p.Code) {
		f.halt(ctx, messages.Halt{Code: p.Code, Token: f.options.Token.Fingerprint()})
	}
}

// halt shuts every machine down, once. It lasts as long as the token: the machines remember it for a MASTER that starts anew.
func (f *Fleet) halt(ctx actor.Context, h messages.Halt) {
	if f.halted != nil {
		return
	}
	f.halted = &h
	f.raise(messages.FleetHalted{CloseCode: h.Code, Token: h.Token})
	if f.governor != nil {
		ctx.Send(f.governor, halted{})
	}
	for _, s := range f.inOrder() {
		s.granted = nil
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
