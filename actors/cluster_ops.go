package actors

import (
	"bytes"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// This file is where a Cluster and the Router share a link: operations go to the one, everything else to the other.

// converse begins to hear the process on a link.
func (c *Cluster) converse(ctx actor.Context, link transport.Link) {
	send := world.Sender(ctx)
	ctx.Send(c.house.Router, lineOpened{
		line:  line{cluster: c.plan.ID, shards: c.plan.Shards, link: link, stock: true},
		fleet: fleetShape{shards: c.settings.ShardCount, perCluster: c.settings.ShardsPerCluster},
	})
	share(link, ctx.ActorSystem().Root, c.house.Router,
		func(b []byte, bad error) { send(socketFrame{link, b, bad}) },
		func(err error) { send(socketEnded{link, err}) })
}

// share begins delivery: operations to the Router, in whose mailbox they are one hop from the socket, the rest and what is no packet at all to other.
func share(link transport.Link, root *actor.RootContext, router *actor.PID, other func(frame []byte, bad error), ended func(error)) {
	link.Receive(
		func(b []byte) {
			m := spareRouted.Get().(*routed)
			operation, err := m.parcel.Read(b)
			if !operation {
				spareRouted.Put(m)
				other(bytes.Clone(b), err)
				return
			}
			m.link = link
			root.Send(router, &m.envelope)
		},
		func(err error) {
			root.Send(router, lineEnded{link})
			ended(err)
		})
}

// greeted tells the Router that the instance can be asked.
func (c *Cluster) greeted(ctx actor.Context, p messages.Identify) {
	if p.ID == c.life.Instance && c.seated != c.link {
		c.seated = c.link
		ctx.Send(c.house.Router, lineGreeted{link: c.link, stock: p.Protocol == 0})
	}
}
