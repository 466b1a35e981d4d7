package cmd_test

import (
	"fmt"
	"time"

	"github.com/asynkron/protoactor-go/actor"

	"github.com/discluster/control/actors"
	"github.com/discluster/control/actors/world"
	"github.com/discluster/control/cmd"
	"github.com/discluster/control/messages"
)

// patience is a behaviour: a cluster that gave up gets another chance after a while.
type patience struct {
	world *world.World
	house actors.House
}

// again is what patience tells itself when the time is over: whatever happens outside comes back as a message.
type again struct{ cluster messages.ClusterID }

func (p *patience) Receive(ctx actor.Context) {
	switch m := ctx.Message().(type) {
	case *actor.Started:
		ctx.Request(p.house.Herald, messages.Subscribe{})
	case messages.ClusterGaveUp:
		fmt.Printf("cluster %d gave up on shards %s\n", m.Cluster, m.Shards)
		send := world.Sender(ctx)
		p.world.After(10*time.Minute, func() { send(again{m.Cluster}) })
	case again:
		ctx.Send(p.house.Clusters, messages.RestartCluster{Cluster: m.cluster})
	}
}

var patient = actors.Behaviour{
	Name:  "patience",
	Actor: func(w *world.World, h actors.House) actor.Actor { return &patience{w, h} },
}

// The whole of an operator's own main.
func ExampleWith() {
	cmd.Main(cmd.With(patient))
}

// A behaviour is tested by the messages it gets and sends: here stubs stand where its World and its neighbours are.
func ExampleWith_test() {
	system, done := actor.NewActorSystem(), make(chan bool)
	herald := actor.PropsFromFunc(func(ctx actor.Context) {
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
	house := actors.House{Herald: system.Root.Spawn(herald), Clusters: system.Root.Spawn(clusters)}
	w := &world.World{After: func(d time.Duration, fn func()) (cancel func()) {
		fmt.Println("waiting", d)
		go fn()
		return func() {}
	}}
	system.Root.Spawn(actor.PropsFromProducer(func() actor.Actor { return patient.Actor(w, house) }))
	<-done

	// Output:
	// cluster 3 gave up on shards 30-39
	// waiting 10m0s
	// cluster 3 is started again
}
