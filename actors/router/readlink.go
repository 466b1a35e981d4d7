package router

import (
	"bytes"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/transport"
)

// ReadLink starts to read a link. Operations go to the Router, whose mailbox is one hop from the
// socket. All other packets, and frames that are no packet, go to other.
func ReadLink(link transport.Link, root *actor.RootContext, to *actor.PID, other func(frame []byte, bad error), ended func(error)) {
	link.Receive(
		func(b []byte) {
			m := spareRouted.Get().(*Routed)
			operation, err := m.Parcel.Read(b)
			if !operation {
				spareRouted.Put(m)
				other(bytes.Clone(b), err)
				return
			}
			m.Link = link
			root.Send(to, &m.Envelope)
		},
		func(err error) {
			root.Send(to, connEnded{link: link})
			ended(err)
		})
}
