package bot_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/discluster/control/messages"
	"github.com/discluster/control/transport"
	"github.com/discluster/control/transport/bot"
	"github.com/discluster/control/transport/ipc"
)

// The whole of a bot's main. What it does with a shard is up to it; here it only pretends to have a gateway.
func Example() {
	gone := pretendControl() // in earnest CONTROL has started us
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
	// CONTROL hears that shard 30 is waiting_permit
	// CONTROL grants shard 30 a permit
	// CONTROL hears that shard 30 is identifying
	// CONTROL hears that the permit was used: true
	// CONTROL hears that shard 30 is ready
	// CONTROL hears that the cluster is connected, and drains it
	// final: false
	// CONTROL hears that the cluster is drained
	// stopped: <nil>
}

// pretendControl does what CONTROL does: it sets the environment, says HELLO, grants permits, and here it drains the cluster as soon as that is connected.
func pretendControl() (done func()) {
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

	var link transport.Link
	send := func(m messages.FromManager) {
		frame, err := ipc.EncodeFromManager(m)
		if err != nil {
			log.Fatal(err)
		}
		link.Send(frame)
	}
	hear := func(frame []byte) {
		defer link.Took()
		m, err := ipc.DecodeFromInstance(frame)
		if err != nil {
			log.Fatal(err)
		}
		switch m := m.(type) {
		case messages.ShardStatus:
			fmt.Printf("CONTROL hears that shard %d is %s\n", m.Shard, m.State)
		case messages.PermitAsk:
			fmt.Printf("CONTROL grants shard %d a permit\n", m.Shard)
			send(messages.PermitGrant{EventID: m.EventID, Shard: m.Shard, Granted: true, UseWithinMS: 2000})
		case messages.PermitSent:
			fmt.Println("CONTROL hears that the permit was used:", m.Sent)
		case messages.Connected:
			fmt.Println("CONTROL hears that the cluster is connected, and drains it")
			send(messages.Drain{EventID: "2", DeadlineMS: 8000})
		case messages.Drained:
			fmt.Println("CONTROL hears that the cluster is drained")
		}
	}
	gone := make(chan struct{})
	var dial func()
	dial = func() {
		ipc.Dial(socket, func(l transport.Link, err error) {
			if err != nil { // the bot does not listen yet
				dial()
				return
			}
			link = l
			link.Receive(hear, func(error) { close(gone) })
			send(messages.Hello{ID: manager, EventID: "1", HeartbeatIntervalMS: 5000, Shards: []int{30}, TotalShards: 80, Protocol: messages.ProtocolVersion})
		})
	}
	dial()
	return func() { <-gone; os.RemoveAll(dir) }
}
