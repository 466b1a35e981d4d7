package actors

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	codec "github.com/discluster/control/transport/ipc"
)

// This file is where a Cluster and the Router share a link: operations go to the one, everything else to the other.

// converse begins to hear the process on a link.
func (c *Cluster) converse(ctx actor.Context, link transport.Link) {
	send, root, router := world.Sender(ctx), ctx.ActorSystem().Root, c.house.Router
	ctx.Send(router, lineOpened{
		line:  line{cluster: c.plan.ID, shards: c.plan.Shards, link: link, stock: true},
		fleet: fleetShape{shards: c.settings.ShardCount, perCluster: c.settings.ShardsPerCluster},
	})
	link.Receive(
		func(b []byte) {
			if p, err := codec.ReadParcel(b); p != nil {
				root.Send(router, routed{link, p})
			} else {
				send(socketFrame{link, b, err})
			}
		},
		func(err error) {
			root.Send(router, lineEnded{link})
			send(socketEnded{link, err})
		})
}

// greeted tells the Router that the instance can be asked.
func (c *Cluster) greeted(ctx actor.Context, p messages.Identify) {
	if p.ID == c.life.Instance && c.seated != c.link {
		c.seated = c.link
		ctx.Send(c.house.Router, lineGreeted{link: c.link, stock: p.Protocol == 0})
	}
}
