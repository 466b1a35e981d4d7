package cmd_test

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd"
	"github.com/discluster/control/messages"
)

// reviver is a behaviour that restarts a cluster ten minutes after it gave up.
type reviver struct {
	world     *world.World
	addresses world.Addresses
}

// restartDue is the timer's message: whatever happens outside the actor comes back as a message.
type restartDue struct{ cluster messages.ClusterID }

func (r *reviver) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(r.addresses.Events, messages.Subscribe{})
	case messages.ClusterGaveUp:
		fmt.Printf("cluster %d gave up on shards %s\n", m.Cluster, m.Shards)
		send := world.Sender(ctx)
		r.world.After(10*time.Minute, func() { send(restartDue{m.Cluster}) })
	case restartDue:
		ctx.Send(r.addresses.Clusters, messages.RestartCluster{Cluster: m.cluster})
	}
}

var revive = world.Behaviour{
	Name:  "reviver",
	Actor: func(w *world.World, addresses world.Addresses) actor.Actor { return &reviver{w, addresses} },
	// After a panic a new actor subscribes again; timers under way reach it.
	Restart: true,
}

// This is the whole main of an operator with a behaviour of their own.
func ExampleWith() {
	cmd.Main(cmd.With(revive))
}

// A behaviour is tested by the messages it gets and sends, with stubs for its World and its
// neighbours.
func ExampleWith_test() {
	system, done := actor.NewActorSystem(), make(chan bool)
	events := actor.PropsFromFunc(func(ctx actor.Context) {
		if _, ok := ctx.Message().(messages.Subscribe); ok {
			ctx.Send(ctx.Sender(), messages.ClusterGaveUp{Cluster: 3, Shards: "30-39"})
		}
	})
	clusters := actor.PropsFromFunc(func(ctx actor.Context) {
		if m, ok := ctx.Message().(messages.RestartCluster); ok {
			fmt.Printf("cluster %d is started again\n", m.Cluster)
			close(done)
		}
	})
	addresses := world.Addresses{Events: system.Root.Spawn(events), Clusters: system.Root.Spawn(clusters)}
	w := &world.World{After: func(d time.Duration, fn func()) (cancel func()) {
		fmt.Println("waiting", d)
		go fn()
		return func() {}
	}}
	system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return revive.Actor(w, addresses) }))
	<-done

	// Output:
	// cluster 3 gave up on shards 30-39
	// waiting 10m0s
	// cluster 3 is started again
}
