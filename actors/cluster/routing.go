package cluster

import (
	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/router"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
)

// This file connects a cluster to the Router.

// converse starts to read a link to the process.
func (c *Cluster) converse(ctx actor.Context, link transport.Link) {
	send := world.Sender(ctx)
	ctx.Send(c.addresses.Router, router.ConnOpened{
		Conn:  router.Conn{Cluster: c.plan.ID, Shards: c.plan.Shards, Link: link, Stock: true},
		Fleet: router.FleetShape{Shards: c.settings.ShardCount, PerCluster: c.settings.ShardsPerCluster},
	})
	router.ReadLink(link, ctx.ActorSystem().Root, c.addresses.Router,
		func(b []byte, bad error) { send(socketFrame{link: link, frame: b, bad: bad}) },
		func(err error) { send(socketEnded{link: link, err: err}) })
}

// greeted reports to the Router that the instance takes requests.
func (c *Cluster) greeted(ctx actor.Context, p messages.Identify) {
	if p.ID == c.run.Instance && c.greetedOn != c.link {
		c.greetedOn = c.link
		ctx.Send(c.addresses.Router, router.ConnGreeted{Link: c.link, Stock: p.Protocol == 0})
	}
}
