package bot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/ipc"
)

// A whole main of a bot. This one only pretends to have a gateway.
func Example() {
	gone := pretendControl() // in production CONTROL has started the process
	ctx := context.Background()

	c, err := bot.Join(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("cluster %s of %d serves shards %v of %d\n", c.ID(), c.Count(), c.Shards(), c.ShardCount())

	err = c.Run(ctx, func(ctx context.Context, s *bot.Shard) error {
		s.State(messages.ShardWaitingPermit, 0)
		permit, err := s.Permit(ctx, messages.CauseStart) // with the gateway's HELLO received
		if err != nil {
			return err
		}
		s.State(messages.ShardIdentifying, 0)
		permit.Sent() // right after the IDENTIFY
		s.State(messages.ShardReady, 0)

		<-c.Stopping()
		fmt.Println("final:", c.Stop().Final)
		return nil
	})
	gone()
	fmt.Println("stopped:", err)

	// Output:
	// cluster 3 of 8 serves shards [30] of 80
	// CONTROL learns that shard 30 is waiting_permit
	// CONTROL grants shard 30 a permit
	// CONTROL learns that shard 30 is identifying
	// CONTROL learns that the permit was used: true
	// CONTROL learns that shard 30 is ready
	// CONTROL learns that the cluster is connected, and drains it
	// final: false
	// CONTROL learns that the cluster is drained
	// stopped: <nil>
}

// Two ways to talk to other clusters: Ask waits for each answer, Notify waits for nothing.
func ExampleAsk() {
	// in production there are other processes; this one asks itself, and cluster 4 is dead
	gone := pretendFleet()
	ctx, cancel := context.WithCancel(context.Background())

	heard := make(chan bot.Message)
	c, err := bot.Join(ctx,
		bot.Handle("guilds", func(_ context.Context, r bot.Request) (any, error) {
			var least int
			if err := json.Unmarshal(r.Data, &least); err != nil {
				return nil, err
			}
			return map[string]int{"guilds": 17, "least": least}, nil
		}),
		bot.Messages(func(m bot.Message) { heard <- m }))
	if err != nil {
		log.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		ended <- c.Run(ctx, func(context.Context, *bot.Shard) error { <-c.Stopping(); return nil })
	}()

	type count struct{ Guilds, Least int }
	answers, err := bot.Ask[count](ctx, c, bot.Clusters(3, 4), "guilds", 5)
	if err != nil {
		log.Fatal(err)
	}
	for _, a := range answers {
		if a.Err != nil {
			fmt.Printf("cluster %s: %v\n", a.Cluster, a.Err)
			continue
		}
		fmt.Printf("cluster %s: %+v\n", a.Cluster, a.Value)
	}
	// bot.OwnersOf(c.ShardOf(guild)) asks the owner of a guild, bot.AllClusters() all clusters.

	if _, err := c.Notify(bot.Clusters(3), "reload"); err != nil {
		log.Fatal(err)
	}
	m := <-heard
	fmt.Printf("message of cluster %s: %s\n", m.From, m.Data)

	stats, err := c.Stats(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("shard %d of cluster %s is %s\n", stats[0].Value[0].Shard, stats[0].Cluster, stats[0].Value[0].State)
	cancel()
	fmt.Println("stopped:", <-ended)
	gone()

	// Output:
	// cluster 3: {Guilds:17 Least:5}
	// cluster 4: it died, and is about to be started again
	// message of cluster 3: "reload"
	// shard 30 of cluster 3 is idle
	// stopped: <nil>
}

// pretendFleet does what CONTROL does with operations, for a fleet of which only this process runs.
func pretendFleet() (done func()) {
	return pretend(func(link transport.Link, frame []byte) {
		var p ipc.Parcel
		operation, err := p.Read(frame)
		event, missing, _ := strings.Cut(string(p.Event()), "/")
		switch {
		case err != nil:
			log.Fatal(err)
		case !operation: // heartbeats and the like
		case p.Answer:
			reply := ipc.Reply{T: p.T, Event: []byte(event), Results: [][]byte{p.Result()}, Clusters: []messages.ClusterID{3}}
			if missing != "" {
				reply.Errors = []ipc.TargetError{{Cluster: 4, Err: "it died, and is about to be started again"}}
			}
			link.Send(reply.Encode())
		default:
			if slices.Contains(p.Targets, 4) {
				p.SetEvent(event + "/4")
			}
			link.Send(p.Frame())
		}
	})
}

// pretendControl grants permits, and drains the cluster as soon as that is connected.
func pretendControl() (done func()) {
	send := func(link transport.Link, m messages.FromManager) {
		frame, err := ipc.EncodeFromManager(m)
		if err != nil {
			log.Fatal(err)
		}
		link.Send(frame)
	}
	return pretend(func(link transport.Link, frame []byte) {
		m, err := ipc.DecodeFromInstance(frame)
		if err != nil {
			log.Fatal(err)
		}
		switch m := m.(type) {
		case messages.ShardStatus:
			fmt.Printf("CONTROL learns that shard %d is %s\n", m.Shard, m.State)
		case messages.PermitAsk:
			fmt.Printf("CONTROL grants shard %d a permit\n", m.Shard)
			send(link, messages.PermitGrant{EventID: m.EventID, Shard: m.Shard, Granted: true, UseWithinMS: 2000})
		case messages.PermitSent:
			fmt.Println("CONTROL learns that the permit was used:", m.Sent)
		case messages.Connected:
			fmt.Println("CONTROL learns that the cluster is connected, and drains it")
			send(link, messages.Drain{EventID: "2", DeadlineMS: 8000})
		case messages.Drained:
			fmt.Println("CONTROL learns that the cluster is drained")
		}
	})
}

// pretend does what CONTROL does first: it sets the environment, dials, and sends HELLO.
func pretend(hear func(link transport.Link, frame []byte)) (done func()) {
	const manager messages.Snowflake = "14386345434290659167418524605215670272"
	dir, err := os.MkdirTemp("", "b")
	if err != nil {
		log.Fatal(err)
	}
	socket := filepath.Join(dir, "3")
	for name, value := range map[string]string{
		"DISCLUSTER_SOCKET": socket, "SHARDING_MANAGER_IPC": string(manager), "SHARDING_INSTANCE_IPC": "14386345434600144177235209336163139585",
		"CLUSTER_ID": "3", "CLUSTER_COUNT": "8", "MAX_CONCURRENCY": "1", "DISCORD_TOKEN": "secret",
	} {
		os.Setenv(name, value)
	}
	hello, err := ipc.EncodeFromManager(messages.Hello{ID: manager, EventID: "1", HeartbeatIntervalMS: 5000, Shards: []int{30}, TotalShards: 80, Protocol: messages.ProtocolVersion})
	if err != nil {
		log.Fatal(err)
	}
	gone := make(chan struct{})
	var dial func()
	dial = func() {
		ipc.Dial(socket, func(link transport.Link, err error) {
			if err != nil { // the bot does not listen so far
				dial()
				return
			}
			link.Receive(func(frame []byte) { defer link.Ack(); hear(link, frame) }, func(error) { close(gone) })
			link.Send(hello)
		})
	}
	dial()
	return func() { <-gone; os.RemoveAll(dir) }
}
